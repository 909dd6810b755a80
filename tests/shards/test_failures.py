"""What S3 refuses is said with the action and the key that a policy must allow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.errors import StorageError
from dolmino_cli.shards import s3 as store
from dolmino_cli.shards import s3_uploads, storage
from dolmino_cli.shards.s3_reading import S3Reader
from dolmino_cli.shards.shard import Shard
from tests.chaos_proxy import DENIED, ChaosProxy
from tests.s3_server import S3Server

KEY = "s3://bucket/deny/k"
READING = (
    f"s3:GetObject on {KEY}, and s3:ListBucket on s3://bucket, without which S3 refuses a key that is not there in the same words"
)
STORED = Shard(path=KEY, name="k", bytes=9, etag="e")
UPLOAD = s3_uploads.Upload(uri=KEY, id="1", bytes=0, age_seconds=0)

# what is done, how it is called, what is needed
CALLS: dict[str, tuple[Callable[[Path], Any], str, str]] = {
    "stat": (lambda _: store.stat(KEY), "look at", READING),
    "read": (lambda _: store.read_bytes(KEY), "read", READING),
    "stream": (lambda _: S3Reader(KEY), "read", READING),
    "scattered": (lambda _: storage.open_seekable(KEY), "read", READING),
    "range": (lambda _: store.read_range(STORED, 1, 2), "read", READING),
    "walk": (lambda _: list(store.walk("s3://bucket/deny")), "list", "s3:ListBucket on s3://bucket"),
    "listed": (lambda _: list(store.listed("s3://bucket/deny")), "list", "s3:ListBucket on s3://bucket"),
    "put": (lambda _: store.write_bytes(KEY, b""), "write", f"s3:PutObject on {KEY}"),
    "upload": (lambda folder: store.upload(folder / "small", KEY), "write", f"s3:PutObject on {KEY}"),
    "upload in parts": (lambda folder: store.upload(folder / "large", KEY), "write", f"s3:PutObject on {KEY}"),
    "delete": (lambda _: store.delete(KEY), "delete", f"s3:DeleteObject on {KEY}"),
    "abort": (lambda _: s3_uploads.abort(UPLOAD), "abort the upload of", f"s3:AbortMultipartUpload on {KEY}"),
    "uploads": (
        lambda _: list(s3_uploads.unfinished_uploads("s3://bucket/deny")),
        "list the unfinished uploads below",
        "s3:ListBucketMultipartUploads on s3://bucket",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_missing_permission(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    call, doing, needed = CALLS[name]
    (tmp_path / "small").write_bytes(b"x")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(20 << 20)
    with ChaosProxy(s3.endpoint, share=1, faults=[DENIED]) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        with pytest.raises(StorageError) as failure:
            call(tmp_path)
    where = KEY if KEY in needed or doing in ("look at", "read") else "s3://bucket/deny"
    wrong = "are wrong, or " if name == "stat" else ""
    reason = f"S3 refused (403): the credentials in use {wrong}may not do this; they need {needed}"
    assert str(failure.value) == f"cannot {doing} {where}: {reason}"
    assert proxy.counts["requests"] == 1  # a refusal is not tried again
