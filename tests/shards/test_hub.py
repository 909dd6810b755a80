"""`hf://`, against a small HTTP server that speaks the part of the Hub's protocol that reading needs."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.shards import storage
from dolmino_cli.shards.listing import list_shards
from tests.shards.make import line, packed, read

A, B = line("a", "one"), line("b", "zwei \u2028")
DOCUMENTS = [(1, "a", "one", A), (2, "b", "zwei \u2028", B)]


def table(folder: Path) -> bytes:
    pq.write_table(pa.table({"id": ["a"], "text": ["x"]}), folder / "t.parquet")
    return (folder / "t.parquet").read_bytes()


class FakeHub(http.server.BaseHTTPRequestHandler):
    """One dataset, `lab/set`, of the files in `files`, at revision main; `lab/gated` refuses."""

    files: dict[str, bytes]

    def log_message(self, *_: object) -> None:
        return

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = urllib.parse.unquote(urllib.parse.urlparse(self.path).path)
        if "lab/gated" in path:
            self.answer(401, b"{}", {"X-Error-Code": "GatedRepo"})
        elif re.fullmatch(r"/api/datasets/lab/set(/revision/main)?", path):
            self.answer(200, json.dumps({"id": "lab/set", "sha": "0" * 40, "siblings": []}).encode())
        elif found := re.fullmatch(r"/api/datasets/lab/set/tree/main/?(.*)", path):
            self.tree(found.group(1), recursive="recursive=true" in self.path.lower())
        elif (found := re.fullmatch(r"/datasets/lab/set/resolve/(main|refs/pr/1)/(.*)", path)) and found.group(2) in self.files:
            self.content(self.files[found.group(2)])
        else:
            self.answer(404, b"{}", {"X-Error-Code": "EntryNotFound" if "lab/set" in path else "RepoNotFound"})

    def tree(self, folder: str, *, recursive: bool) -> None:
        prefix = f"{folder}/" if folder else ""
        entries: dict[str, dict[str, object]] = {}
        for name, data in self.files.items():
            if not name.startswith(prefix):
                continue
            parts = name[len(prefix) :].split("/")
            for i in range(1, len(parts) if recursive else min(len(parts), 2)):
                below = prefix + "/".join(parts[:i])
                entries[below] = {"type": "directory", "path": below, "oid": "1", "size": 0}
            if recursive or len(parts) == 1:
                entries[name] = {"type": "file", "path": name, "oid": hashlib.sha1(data).hexdigest(), "size": len(data)}
        if entries:
            self.answer(200, json.dumps(list(entries.values())).encode())
        else:
            self.answer(404, b"{}", {"X-Error-Code": "EntryNotFound"})

    def content(self, data: bytes) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        headers = {"X-Repo-Commit": "0" * 40, "ETag": f'"{hashlib.sha1(data).hexdigest()}"'}
        if not asked:
            self.answer(200, data, headers)
            return
        start, end = int(asked.group(1)), min(int(asked.group(2) or len(data) - 1), len(data) - 1)
        self.answer(206, data[start : end + 1], {**headers, "Content-Range": f"bytes {start}-{end}/{len(data)}"})

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    FakeHub.files = {
        "README.md": b"# set",
        "data/x.jsonl.zst": packed(A + b"\n" + B, ".zst"),
        "data/deep/y.jsonl": A + b"\n" + B,
        "data/t.parquet": table(tmp_path),
    }
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    yield
    server.shutdown()
    server.server_close()


def test_listing_and_reading(hub: None) -> None:
    root = "hf://datasets/lab/set"
    shards = list_shards([root])
    assert [(shard.name, shard.path, shard.bytes) for shard in shards] == [
        ("data/deep/y.jsonl", f"{root}/data/deep/y.jsonl", len(A + b"\n" + B)),
        ("data/t.parquet", f"{root}/data/t.parquet", len(FakeHub.files["data/t.parquet"])),
        ("data/x.jsonl.zst", f"{root}/data/x.jsonl.zst", len(FakeHub.files["data/x.jsonl.zst"])),
    ]
    assert shards[0].etag == hashlib.sha1(A + b"\n" + B).hexdigest()
    assert [read(shard.path)[0] for shard in shards] == [DOCUMENTS, [(1, "a", "x", {"id": "a", "text": "x"})], DOCUMENTS]


def test_folders_globs_and_files(hub: None) -> None:
    names = {
        "hf://datasets/lab/set/data": ["deep/y.jsonl", "t.parquet", "x.jsonl.zst"],
        "hf://datasets/lab/set@main/data/": ["deep/y.jsonl", "t.parquet", "x.jsonl.zst"],
        "hf://datasets/lab/set/data/*.zst": ["x.jsonl.zst"],
        "hf://datasets/lab/set/**/*.jsonl": ["data/deep/y.jsonl"],
        "hf://datasets/lab/set/data/x.jsonl.zst": ["x.jsonl.zst"],
    }
    assert {given: [shard.name for shard in list_shards([given])] for given in names} == names


@pytest.mark.parametrize("revision", ["", "@main", "@refs/pr/1"])
def test_what_was_fetched_is_there_without_a_network(
    hub: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    uri = f"hf://datasets/lab/set{revision}/data/deep/y.jsonl"
    fetched = storage.fetch(uri)
    assert fetched.read_bytes() == A + b"\n" + B and tmp_path / "hub-cache" in fetched.parents
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert storage.fetch(uri) == fetched
    with pytest.raises(StorageError, match=r"^cannot download hf://datasets/lab/set/README\.md: "):
        storage.fetch("hf://datasets/lab/set/README.md")


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("hf://datasets/lab/set/none.bin", "404"),
        ("hf://datasets/lab/gated/model.bin", r"the Hub refused \(401\)"),
        ("hf://lab/model", "that names no file; give hf://OWNER/NAME/FILE"),
    ],
)
def test_what_cannot_be_fetched(hub: None, uri: str, why: str) -> None:
    with pytest.raises(StorageError, match=f"^cannot download {uri}: .*{why}"):
        storage.fetch(uri)


def test_what_is_not_there_or_not_allowed(hub: None) -> None:
    with pytest.raises(ConfigError, match="no shards found"):
        list_shards(["hf://datasets/lab/set/none"])
    with pytest.raises(ConfigError, match="no shards found"):
        list_shards(["hf://datasets/lab/other"])
    with pytest.raises(StorageError, match=r"^cannot read hf://datasets/lab/set/no\.jsonl: "):
        read("hf://datasets/lab/set/no.jsonl")
    with pytest.raises(
        StorageError, match=r"^cannot look at hf://datasets/lab/gated: the Hub refused \(401\): no such dataset, or"
    ):
        list_shards(["hf://datasets/lab/gated"])
