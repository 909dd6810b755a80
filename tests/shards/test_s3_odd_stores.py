"""Stores and gateways that answer ranges otherwise than S3 does: every byte arrives, or one line says what is wrong; no loss."""

from __future__ import annotations

import os
import random
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dolmino_cli.errors import DataError, StorageError
from dolmino_cli.shards import s3_reading, storage
from tests.s3_server import KEY, SECRET

CONTENT = random.Random(1).randbytes(300_000)


class OddStore(BaseHTTPRequestHandler):
    """Has one object, of whatever name, and one way (`odd`) to be no S3."""

    odd = ""
    content = CONTENT
    etags = True
    requests = 0

    def do_GET(self) -> None:
        kind = OddStore
        kind.requests += 1
        content, asked = kind.content, re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", "bytes=0-"))
        assert asked is not None
        first, last = asked.groups()
        start = int(first) if first else max(0, len(content) - int(last))
        stop = min(len(content), int(last) + 1 if first and last else len(content))
        if kind.odd == "ignores ranges":
            self._answer(200, content, {})
            return
        if start >= len(content):
            self._answer(416, b"", {})
            return
        if kind.odd == "short answers":
            stop = min(stop, start + 7_000)
        if kind.odd == "breaks and then short" and kind.requests > 1:
            stop = min(stop, start + 7_000)
        shown = start + 5 if kind.odd == "another place" and start else start
        body = content[shown : shown + stop - start]
        broken = kind.odd == "breaks and then short" and kind.requests == 1
        self._answer(206, body, {"Content-Range": f"bytes {shown}-{shown + len(body) - 1}/{len(content)}"}, broken=broken)

    def _answer(self, status: int, body: bytes, headers: dict[str, str], *, broken: bool = False) -> None:
        self.send_response(status)
        etag = {"ETag": f'"{hash(OddStore.content) & 0xFFFF:x}"'} if OddStore.etags else {}
        for name, value in {"Content-Length": str(len(body)), **etag, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if broken else body)
        self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        return


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Where the store is; one for all tests, as a client for each takes a second."""
    with ThreadingHTTPServer(("127.0.0.1", 0), OddStore) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        s3_reading._fetchers(os.getpid()).threads.shutdown()  # what is under way ends before its server does
        s3_reading._fetchers.cache_clear()
        server.shutdown()


@pytest.fixture
def store(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> type[OddStore]:
    monkeypatch.setattr(s3_reading, "RANGE_BYTES", 50_000)
    monkeypatch.setattr(s3_reading, "_LEAST_BYTES", 10_000)
    for name, value in {"odd": "", "content": CONTENT, "etags": True, "requests": 0}.items():
        monkeypatch.setattr(OddStore, name, value)
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return OddStore


@pytest.mark.parametrize("odd", ["", "short answers", "breaks and then short"])
def test_every_byte_arrives(store: type[OddStore], odd: str) -> None:
    store.odd = odd
    with storage.open_bytes("s3://bucket/x") as stream:
        assert stream.read() == CONTENT
    store.requests = 0
    with storage.open_seekable("s3://bucket/x") as stream:
        stream.seek(1000)
        assert stream.read(60_000) == CONTENT[1000:61_000]


@pytest.mark.parametrize("scattered", [False, True])
@pytest.mark.parametrize(("odd", "words"), [("ignores ranges", "it ignored a Range"), ("another place", "another place")])
def test_a_store_without_ranges_is_refused(store: type[OddStore], odd: str, words: str, scattered: bool) -> None:
    store.odd = odd
    opened = storage.open_seekable if scattered else storage.open_bytes
    with pytest.raises(StorageError, match=rf"cannot read s3://bucket/x: .*{words}"), opened("s3://bucket/x") as stream:
        stream.read()


@pytest.mark.parametrize("size", [0, 1, 10_000, 50_000])
@pytest.mark.parametrize("odd", ["", "ignores ranges"])
def test_small_objects(store: type[OddStore], odd: str, size: int) -> None:
    store.odd, store.content = odd, CONTENT[:size]
    with storage.open_bytes("s3://bucket/x") as stream:
        assert stream.read() == CONTENT[:size]


@pytest.mark.parametrize("etags", [True, False])
def test_an_object_that_becomes_shorter_while_it_is_read_is_told(store: type[OddStore], etags: bool) -> None:
    store.etags = etags
    with storage.open_bytes("s3://bucket/x") as stream:
        store.content = CONTENT[:60_000]
        with pytest.raises(DataError, match="s3://bucket/x: was changed while it was being read"):
            stream.read()
