"""Reading documents that lie anywhere in many token files, some MB of them at a time."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from types import TracebackType

import numpy as np

from dolmino_cli.errors import StorageError
from dolmino_cli.kernels.read_ranges import read_ranges
from dolmino_cli.mix.sampling.gather import Gathered
from dolmino_cli.shards.failures import storage_errors

SLAB_BYTES = 16 << 20
_MOST_OPEN = 128  # files; a process may often open 1,024, and a mix has thousands
_SPAN_BYTES = 1 << 20


class TokenFiles:
    """The token files of a mix by number, opened when they are needed. A context manager."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._open: OrderedDict[int, int] = OrderedDict()
        self._span = np.empty(_SPAN_BYTES, np.uint8)

    def __enter__(self) -> TokenFiles:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        while self._open:
            os.close(self._open.popitem()[1])

    def read(self, files: np.ndarray, starts: np.ndarray, lengths: np.ndarray, out: np.ndarray) -> None:
        """Fill `out` (bytes) with documents one after another: document i is `lengths[i]` bytes of file `files[i]` from
        `starts[i]` on. Every file is read from front to back. Raises StorageError.
        """
        places = np.cumsum(lengths) - lengths
        order = np.lexsort((starts, files))
        files, starts, lengths, places = files[order], starts[order], lengths[order], places[order]
        bounds = [0, *(np.flatnonzero(files[1:] != files[:-1]) + 1).tolist(), len(files)] if len(files) else []
        for first, stop in pairwise(bounds):
            number = int(files[first])
            pieces = starts[first:stop], lengths[first:stop], places[first:stop]
            failed = read_ranges(self._descriptor(number), *pieces, out, self._span)
            if failed >= 0:
                self._fail(number, int(pieces[0][failed]))

    def _descriptor(self, number: int) -> int:
        if number not in self._open:
            if len(self._open) >= _MOST_OPEN:
                os.close(self._open.popitem(last=False)[1])
            with storage_errors("read", str(self._paths[number])):
                self._open[number] = os.open(self._paths[number], os.O_RDONLY)
        self._open.move_to_end(number)
        return self._open[number]

    def _fail(self, number: int, start: int) -> None:
        with storage_errors("read", str(self._paths[number])):
            os.pread(self._open[number], 1, start)  # raises what the kernel could only count
        raise StorageError(f"cannot read {self._paths[number]}: it ends before byte {start}; was it changed during the run?")


def slabs(lengths: np.ndarray, limit: int) -> Iterator[tuple[int, int]]:
    """Consecutive documents of at most `limit` in all, or one: (first, stop) of each group; `lengths` in the unit of `limit`."""
    ends = np.cumsum(lengths)
    first = before = 0
    while first < len(lengths):
        stop = max(first + 1, int(np.searchsorted(ends, before + limit, side="right")))
        yield first, stop
        first, before = stop, int(ends[stop - 1])


def read_in_order(files: TokenFiles, gathered: Gathered, dtype: np.dtype[np.unsignedinteger]) -> Iterator[np.ndarray]:
    """The part's tokens in order, some MB at a time. Two buffers take turns: an array is valid until the next but one."""
    starts, lengths = gathered.offsets * dtype.itemsize, gathered.lengths * dtype.itemsize
    for turn, (first, stop) in enumerate(slabs(lengths, SLAB_BYTES)):
        out = _buffer(turn % 2, int(lengths[first:stop].sum()))
        files.read(gathered.file[first:stop], starts[first:stop], lengths[first:stop], out)
        yield out.view(dtype)


_buffers = [np.empty(0, np.uint8), np.empty(0, np.uint8)]


def _buffer(which: int, size: int) -> np.ndarray:
    """Memory that is kept: fresh memory is slow to touch."""
    if len(_buffers[which]) < size:
        _buffers[which] = np.empty(max(size, SLAB_BYTES), np.uint8)
    return _buffers[which][:size]
