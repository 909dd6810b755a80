"""Read the documents of a shard, whoever wrote it: ours, a peer, the sample data."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard


def read_shard(path: Path) -> Iterator[dict[str, Any]]:
    """Documents of a .jsonl.zst, .jsonl.gz or .parquet file."""
    if path.suffix == ".parquet":
        import pyarrow.parquet

        yield from pyarrow.parquet.read_table(path).to_pylist()
        return
    with path.open("rb") as file:
        if path.suffix == ".gz":
            yield from map(json.loads, gzip.GzipFile(fileobj=file))
        else:
            stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
            yield from map(json.loads, io.BufferedReader(stream))
