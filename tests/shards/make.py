"""Small inputs that can be seen, and the ways to pack them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import zstandard

from dolmino_cli.shards.reading import OnError, Quarantined, read_batches


def line(id: str, text: str, **more: Any) -> bytes:
    """One document as compact JSON."""
    return json.dumps({"id": id, "text": text, **more}, ensure_ascii=False, separators=(",", ":")).encode()


def packed(content: bytes, suffix: str) -> bytes:
    """`content` compressed as `suffix` says."""
    if suffix.endswith(".gz"):
        return gzip.compress(content, mtime=0)
    if suffix.endswith((".zst", ".zstd")):
        return zstandard.ZstdCompressor(write_checksum=True).compress(content)
    return content


def read(
    path: Path | str, on_error: OnError = "fail", batch_bytes: int = 2 << 20
) -> tuple[list[tuple[Any, ...]], list[Quarantined]]:
    """All of a shard: (line, id, text, record) per document, and what was set aside."""
    documents: list[tuple[Any, ...]] = []
    aside: list[Quarantined] = []
    for batch, quarantined in read_batches(str(path), on_error=on_error, batch_bytes=batch_bytes):
        columns = (batch.line, batch.id, batch.text, batch.record)
        documents += list(zip(*(column.to_pylist() for column in columns), strict=True))
        aside += quarantined
    return documents, aside
