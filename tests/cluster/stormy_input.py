"""Small shards for runs in a storm: made here, of every kind, one of them of several parts; and a recipe."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

RECIPE = """
name: stormy
stages:
  - word_concentration: {top: 1, words: whitespace, into: top_word}
  - keep: {score: top_word, at_most: 0.3, reason: repetitive}
  - length: {unit: characters, into: characters}
  - keep: {score: characters, at_least: 60, reason: short}
"""
WORDS = "river stone winter letter garden measure theorem window copper signal meadow lantern harbour engine paper number".split()


def write(folder: Path, *, shards: int, documents: int, large_documents: int) -> int:
    """Write `shards` shards of `documents` each, one of them of `large_documents`; returns the records in all of them."""
    folder.mkdir(parents=True)
    chance = random.Random(5)
    records = 0
    for number in range(shards):
        count = large_documents if number == shards // 2 else documents
        lines = [_document(chance, f"s{number}/{i}") for i in range(count)]
        records += _write(folder / f"shard-{number:03d}", lines, number % 4)
    return records


def _document(chance: random.Random, id: str) -> bytes:
    kind = chance.random()
    if kind < 0.1:
        text = "again " * chance.randint(5, 60)
    else:
        text = " ".join(chance.choice(WORDS) for _ in range(chance.randint(3, 160)))
    return json.dumps({"id": id, "text": text, "metadata": {"votes": chance.randint(0, 9)}}).encode()


def _write(stem: Path, lines: list[bytes], kind: int) -> int:
    if kind == 3:
        rows = [json.loads(line) for line in lines]
        table = {"id": [row["id"] for row in rows], "text": [row["text"] for row in rows]}
        pq.write_table(pa.table(table), stem.with_suffix(".parquet"), row_group_size=max(1, len(rows) // 3))
        return len(rows)
    lines = [*lines[:1], b'{"id": 7, "text": "its id is no string"}', *lines[1:]]
    plain = b"".join(line + b"\n" for line in lines)
    if kind == 0:
        Path(f"{stem}.jsonl.zst").write_bytes(zstandard.ZstdCompressor(level=1).compress(plain))
    elif kind == 1:
        Path(f"{stem}.jsonl.gz").write_bytes(gzip.compress(plain, 1, mtime=0))
    else:
        Path(f"{stem}.jsonl").write_bytes(plain)
    return len(lines)
