"""The documents of one part, from its slice of every run.

Part b of B holds the documents whose order key lies in the b-th of B equal slices of the 64-bit key space, sorted by key;
documents of equal key (equal ids of one source) stand in the order of source name, copy, file and row. So what a part holds
does not depend on how the sources were cut into files, on how much was sorted at a time or on the number of workers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from dolmino_cli.errors import StorageError
from dolmino_cli.mix.sampling.runs import SCHEMA, Run
from dolmino_cli.shards.failures import storage_errors

_PLACE_BITS = 32


@dataclass(frozen=True, kw_only=True)
class Slice:
    """What one run gives to one part: bytes `start` to `stop` of a scratch file."""

    path: Path
    start: int
    stop: int
    source: int
    """Which source, 0-based in the manifest's order."""
    copy: int


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """The documents of one part in the mix's order, and where the tokens of each are."""

    keys: np.ndarray
    """Order keys (uint64), rising."""
    source: np.ndarray
    """Which source each document is of (uint16, the manifest's order)."""
    copy: np.ndarray
    """Which pass over it (uint16)."""
    file: np.ndarray
    """Which token file each is in (int32)."""
    offsets: np.ndarray
    """Where it begins in the file (int64, tokens)."""
    lengths: np.ndarray
    """Tokens (int64)."""
    repeated: np.ndarray
    """Is it of the same source, copy and id as the document before it? (An id that the source has twice.)"""
    id: pa.LargeStringArray
    src: pa.LargeStringArray
    loc: pa.Int64Array


def part_count(tokens: int, tokens_per_file: int) -> int:
    """How many parts a mix of `tokens` has: as many as hold `tokens_per_file` each on average, at least one."""
    return max(1, -(-tokens // tokens_per_file))


def first_key(part: int, parts: int) -> int:
    """The smallest order key of a part; 2**64 for part == parts."""
    return -(-(part << _PLACE_BITS) // parts) << (64 - _PLACE_BITS)


def slices_of(runs: Sequence[Run], part: int, sources: Sequence[str]) -> tuple[Slice, ...]:
    """What the runs, in the order of source name, copy and file, give to a part."""
    return tuple(
        Slice(
            path=run.path,
            start=int(run.bounds[part]),
            stop=int(run.bounds[part + 1]),
            source=sources.index(run.source),
            copy=run.copy,
        )
        for run in runs
        if run.bounds[part + 1] > run.bounds[part]
    )


def gather(slices: Sequence[Slice]) -> Gathered:
    """Read the slices and merge them. Raises StorageError."""
    batches = list(_read(slices))
    sizes = [len(batch) for batch in batches]
    source = np.repeat([piece.source for piece in slices], sizes).astype(np.uint16)
    copy = np.repeat([piece.copy for piece in slices], sizes).astype(np.uint16)
    table = pa.Table.from_batches(batches, SCHEMA).combine_chunks()
    del batches
    keys = _numbers(table, "key")
    order = np.argsort(keys, kind="stable")
    keys, source, copy = keys[order], source[order], copy[order]
    repeated = np.zeros(len(order), np.bool_)
    repeated[1:] = (keys[1:] == keys[:-1]) & (source[1:] == source[:-1]) & (copy[1:] == copy[:-1])
    taken = pa.array(order)
    return Gathered(
        keys=keys,
        source=source,
        copy=copy,
        file=_numbers(table, "file")[order],
        offsets=_numbers(table, "offset")[order],
        lengths=_numbers(table, "length")[order],
        repeated=repeated,
        **{name: table.column(name).chunk(0).take(taken) for name in ("id", "src", "loc")} if len(order) else _NO_TEXT,
    )


_NO_TEXT = {name: pa.array([], SCHEMA.field(name).type) for name in ("id", "src", "loc")}


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(table.column(name).to_numpy())


def _read(slices: Sequence[Slice]) -> Iterator[pa.RecordBatch]:
    """One file is open at a time: a mix of thousands of runs has more than a process may open."""
    for piece in slices:
        with storage_errors("read scratch", str(piece.path)):
            descriptor = os.open(piece.path, os.O_RDONLY)
            try:
                data = os.pread(descriptor, piece.stop - piece.start, piece.start)
            finally:
                os.close(descriptor)
        if len(data) < piece.stop - piece.start:
            raise StorageError(f"scratch {piece.path} ends early; was it removed while the run was going?")
        yield pa.ipc.read_record_batch(pa.py_buffer(data), SCHEMA)
