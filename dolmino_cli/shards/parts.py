"""Parts of a shard: what is read, done and recorded at a time, so that a killed worker's next does not begin anew.

Where parts begin depends on the shard's content and the part size alone. Of JSONL, part k is the lines that begin in bytes
[k * S, (k + 1) * S) of the decompressed content, wherever they end: the last byte before says whether a line begins at the
first. A part may have no lines, where one is long. Of Parquet, parts are runs of rows that the footer's sizes decide
(`parquet_parts.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from dolmino_cli.documents import Batch
from dolmino_cli.shards.faults import Quarantined
from dolmino_cli.shards.formats import format_of
from dolmino_cli.shards.jsonl import JsonlParts
from dolmino_cli.shards.read_options import ReadOptions
from dolmino_cli.shards.shard import Shard

PART_BYTES = 256 << 20
# Plain bytes per stored byte of web text, measured; and a bound that hardly any shard of documents passes.
_USUAL = {"plain": 1.0, "gzip": 3.5, "zstd": 4.2}
_AT_MOST = {"plain": 1.0, "gzip": 10.0, "zstd": 10.0}


class Parts(AbstractContextManager["Parts"], Protocol):
    """The parts of one shard, in order: each is read, or passed over. Begins at part 0."""

    number: int

    @property
    def lines(self) -> int:
        """Lines (rows) of the part, blank ones too; known when it has been read to its end."""
        ...

    @property
    def is_last(self) -> bool:
        """Is there no part after the one that was read? Known when it has been read to its end."""
        ...

    def lines_before(self) -> int:
        """Lines of the shard before the part; may read all that lies there."""
        ...

    def go_to(self, number: int) -> bool:
        """Pass over everything before part `number`; False where the shard has no such part. Only forwards."""
        ...

    def read(self) -> Iterator[tuple[Batch, list[Quarantined]]]:
        """The part's documents as `read_batches` gives them, lines numbered from 1 within the part.

        The line in an error's message is that of the shard.
        """
        ...


def open_parts(shard: Shard, options: ReadOptions, part_bytes: int) -> Parts:
    """The parts of `shard`. Raises as `read_batches`."""
    if format_of(shard.path).kind == "parquet":
        from dolmino_cli.shards.parquet import ParquetParts  # pyarrow.parquet takes 50 ms to import

        return ParquetParts(shard.path, options, part_bytes)
    return JsonlParts(shard.path, options, part_bytes)


def estimated_parts(shard: Shard, part_bytes: int) -> int:
    """How many parts the shard has, about, by its stored size; 1 or more."""
    return max(1, -int(-shard.bytes * _ratio(shard, _USUAL) // part_bytes))


def may_have_parts(shard: Shard, part_bytes: int) -> bool:
    """Could the shard have more than one part, by its stored size? No is nearly always right, and yes sometimes not."""
    return shard.bytes * _ratio(shard, _AT_MOST) > part_bytes


def _ratio(shard: Shard, ratios: dict[str, float]) -> float:
    found = format_of(shard.path)
    # Parquet's own sizes are in its footer, but a footer per shard is a request per shard.
    return ratios["zstd" if found.kind == "parquet" else found.compression]
