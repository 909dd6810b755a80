"""Copy some documents of a remote token file to scratch while the file is read once, from front to back."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np

from dolmino_cli.errors import DataError
from dolmino_cli.kernels.copy_documents import copy_documents
from dolmino_cli.mix.reading import Hashed, SourceFile, check_sha256
from dolmino_cli.shards import storage
from dolmino_cli.tokens.arrays import numpy_dtype

BLOCK_BYTES = 8 << 20


class TokenCopy:
    """Reads `file` and writes what `copy` is asked for to `path`. A context manager."""

    def __init__(self, file: SourceFile, path: Path) -> None:
        self._source, self._path = file, path
        dtype = numpy_dtype(file.dtype)
        self._block, self._kept = (np.empty(BLOCK_BYTES // dtype.itemsize, dtype) for _ in range(2))
        self._read = self._written = 0  # tokens

    def __enter__(self) -> TokenCopy:
        with ExitStack() as stack:
            raw = stack.enter_context(storage.open_bytes(self._source.path))
            self._stream = Hashed(raw, self._source.path)
            self._out: BinaryIO = stack.enter_context(self._path.open("wb"))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def copy(self, starts: np.ndarray, lengths: np.ndarray, end: int) -> np.ndarray:
        """Copy the documents at `starts` of `lengths` tokens, rising and all before `end`, up to which the file is read.

        Returns where each begins in the copy, in tokens. Raises DataError when the file ends early.
        """
        offsets: np.ndarray = self._written + np.cumsum(lengths) - lengths
        ends = starts + lengths
        while self._read < end:
            block = self._block[: end - self._read]
            view = block.view(np.uint8).data
            if self._stream.fill(view) < len(view):
                problem = f"ends before its {self._source.array.tokens:,} tokens; it was cut short"
                raise DataError(problem, path=self._source.path)
            first = int(np.searchsorted(ends, self._read, side="right"))
            last = int(np.searchsorted(starts, self._read + len(block), side="left"))
            begins = np.maximum(starts[first:last] - self._read, 0)
            counts = np.minimum(ends[first:last] - self._read, len(block)) - begins
            kept = self._kept[: int(counts.sum())]
            copy_documents(block, begins, counts, kept)
            self._out.write(kept.view(np.uint8).data)
            self._read += len(block)
            self._written += len(kept)
        return offsets

    def finish(self) -> None:
        """Check the whole file and end the copy. Raises DataError when it is not the bytes that arrays.json describes."""
        check_sha256(self._stream.finish(), self._source.array.sha256, self._source.path)
        self._out.flush()
