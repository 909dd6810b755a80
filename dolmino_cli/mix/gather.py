"""Second half of the external shuffle: one output part, from its slice of the key space in every scratch file.

Part b of B holds the documents whose order key lies in the b-th of B equal slices of the 64-bit key space, sorted by key;
documents of equal key (equal ids of one source) stand in the order of source name, file and row. So what a part holds
does not depend on how the sources were cut into files, on chunk sizes or on the number of workers.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from dolmino_cli.errors import StorageError
from dolmino_cli.mix.scatter import table_path, tokens_path
from dolmino_cli.shards.failures import storage_errors

_PLACE_BITS = 32


@dataclass(frozen=True, kw_only=True)
class Scattered:
    """The scratch of one source file."""

    name: str
    source: int
    """Which source, 0-based in the manifest's order."""


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """The documents of one part: tokens as they lie in the buffer, and where each document is, in the mix's order."""

    tokens: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    keys: np.ndarray
    """Order keys (uint64), rising."""
    source: np.ndarray
    """Which source each document is of (uint16, the manifest's order)."""
    copy: np.ndarray
    """Which pass over it (uint16)."""
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


def gather(scratch: Path, scattered: tuple[Scattered, ...], *, part: int, parts: int, dtype: str) -> Gathered:
    """Read one part from scratch; `scattered` in the order of source name and file.

    The token buffer belongs to this process and is overwritten by the next call. Raises StorageError.
    """
    pieces = list(_pieces(scratch, scattered, first_key(part, parts), first_key(part + 1, parts)))
    lengths = _joined([piece.column("length").to_numpy() for _, piece in pieces], np.int64)
    keys = _joined([piece.column("key").to_numpy() for _, piece in pieces], np.uint64)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    source = np.repeat([file.source for file, _ in pieces], [len(piece) for _, piece in pieces]).astype(np.uint16)[order]
    repeated = np.zeros(len(order), np.bool_)
    repeated[1:] = (keys[1:] == keys[:-1]) & (source[1:] == source[:-1])
    return Gathered(
        tokens=_read_tokens(scratch, pieces, int(lengths.sum()), dtype),
        starts=(np.cumsum(lengths) - lengths)[order],
        lengths=lengths[order],
        keys=keys,
        source=source,
        copy=_joined([piece.column("copy").to_numpy() for _, piece in pieces], np.uint16)[order],
        repeated=repeated,
        id=_taken(pieces, "id", pa.large_string(), order),
        src=_taken(pieces, "src", pa.large_string(), order),
        loc=_taken(pieces, "loc", pa.int64(), order),
    )


Piece = tuple[Scattered, pa.RecordBatch]


def _pieces(scratch: Path, scattered: tuple[Scattered, ...], low: int, high: int) -> Iterator[Piece]:
    for file in scattered:
        for batch in _batches(table_path(scratch, file.name)):
            keys = batch.column("key").to_numpy()
            start = int(np.searchsorted(keys, np.uint64(low)))
            stop = len(keys) if high >= 1 << 64 else int(np.searchsorted(keys, np.uint64(high)))
            if stop > start:
                yield file, batch.slice(start, stop - start)


@functools.lru_cache(maxsize=4096)
def _batches(path: Path) -> tuple[pa.RecordBatch, ...]:
    """The table's batches over mapped memory; kept, because every part of the mix needs every table."""
    with storage_errors("read scratch", str(path)):
        # numpy's map holds no file descriptor, of which a mix of thousands of files would need too many.
        reader = pa.ipc.open_file(pa.py_buffer(np.memmap(path, np.uint8, "r")))
    return tuple(reader.get_batch(i) for i in range(reader.num_record_batches))


_buffer = np.empty(0, np.uint8)


def _read_tokens(scratch: Path, pieces: list[Piece], count: int, dtype: str) -> np.ndarray:
    """The pieces' tokens, one after another, in this process's buffer (fresh memory is slow to touch: it is kept)."""
    global _buffer
    itemsize = np.dtype(dtype).itemsize
    if len(_buffer) < count * itemsize:
        _buffer = np.empty(count * itemsize * 9 // 8, np.uint8)  # Parts differ by some percent.
    view = _buffer.data
    filled = 0
    for file, piece in pieces:
        offset, length = piece.column("offset"), piece.column("length")
        start = offset[0].as_py()
        stop = offset[-1].as_py() + length[-1].as_py()
        filled += _read_into(tokens_path(scratch, file.name), start * itemsize, view[filled : filled + (stop - start) * itemsize])
    assert filled == count * itemsize, f"{filled} bytes gathered of {count} tokens"
    return _buffer[:filled].view(dtype)


def _read_into(path: Path, offset: int, view: memoryview) -> int:
    with storage_errors("read scratch", str(path)), path.open("rb", buffering=0) as file:
        file.seek(offset)
        filled = 0
        while filled < len(view):
            count = file.readinto(view[filled:])
            if not count:
                raise StorageError(f"scratch {path} ends early; was it removed while the run was going?")
            filled += count
    return filled


def _joined(parts: list[np.ndarray], dtype: type[np.generic]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0, dtype)


def _taken(pieces: list[Piece], column: str, kind: pa.DataType, order: np.ndarray) -> pa.Array:
    columns = [piece.column(column) for _, piece in pieces]
    joined = pa.concat_arrays(columns) if columns else pa.array([], kind)
    return joined.take(pa.array(order))
