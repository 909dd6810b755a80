"""The real documents of the sample data, cut into many shards of every kind; and what a run wrote, by hash."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from dolmino_cli.shards.conversion import to_json_lines
from dolmino_cli.shards.reading import read_batches

RESULTS = ("documents/", "attributes/", "rejects/", "quarantine/", "part-")
"""Where the results of filter and retokenize are; the rest (ledger, logs, run.json) tells of this run: seconds, hosts, paths."""


def cut(shared_data: Path, folder: Path, *, shards: int, kinds: tuple[str, ...] = ("zst", "gz", "plain", "parquet")) -> int:
    """Write all real documents in turn to `shards` files below `folder`, each with a broken line; returns the records in them."""
    lines: list[list[bytes]] = [[] for _ in range(shards)]
    place = cycle(range(shards))
    count = 0
    for path in sorted(shared_data.glob("*/*-[0-9][0-9][0-9][0-9].*")):
        if path.suffix not in (".zst", ".gz", ".parquet"):
            continue
        for line in _records(path):
            lines[next(place)].append(line)
            count += 1
    folder.mkdir(parents=True)
    for number, (own, kind) in enumerate(zip(lines, cycle(kinds), strict=False)):
        _write(folder / f"shard-{number:04d}", own, kind)
        count += kind != "parquet"
    return count


def _records(path: Path) -> Iterator[bytes]:
    for batch, _ in read_batches(str(path), on_error="quarantine"):
        if pa.types.is_struct(batch.record.type):
            yield from to_json_lines(batch.record).splitlines()
        else:
            yield from batch.record.to_pylist()


def _write(stem: Path, lines: list[bytes], kind: str) -> None:
    plain = b"\n".join([*lines[:3], b'{"id": "broken', *lines[3:]]) + b"\n"
    if kind == "parquet":
        from dolmino_cli.shards.conversion import to_columns

        rows = to_columns(pa.array(lines, pa.large_binary()))
        pq.write_table(pa.Table.from_batches([pa.RecordBatch.from_struct_array(rows)]), stem.with_suffix(".parquet"))
    elif kind == "gz":
        Path(f"{stem}.jsonl.gz").write_bytes(gzip.compress(plain, 1, mtime=0))
    elif kind == "zst":
        Path(f"{stem}.jsonl.zst").write_bytes(zstandard.ZstdCompressor(level=1).compress(plain))
    else:
        Path(f"{stem}.jsonl").write_bytes(plain)


def results(output: Path) -> dict[str, str]:
    """Name -> sha256 of every file that a run's result consists of."""
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(output.rglob("*"))
        if path.is_file() and (name := path.relative_to(output).as_posix()).startswith(RESULTS)
    }
