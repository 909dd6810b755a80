"""One token-array file and its index, read side by side from front to back, some MB at a time and checked on the way."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal, cast

import numpy as np
import pyarrow as pa

from dolmino_cli.errors import DataError
from dolmino_cli.shards import storage
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.tokens.arrays import ArrayFile, numpy_dtype
from dolmino_cli.tokens.index import read_index

CHUNK_BYTES = 32 << 20


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One array file of one source."""

    source: str
    number: int
    """0-based, in the order of arrays.json."""
    root: str
    array: ArrayFile
    dtype: Literal["uint16", "uint32"]

    @property
    def path(self) -> str:
        """Where its tokens are."""
        return storage.join(self.root, self.array.name)

    @property
    def index_path(self) -> str:
        """Where its documents' rows are."""
        return storage.join(self.root, self.array.index_name)


@dataclass(frozen=True, kw_only=True)
class Documents:
    """Consecutive documents of a file, without their tokens."""

    first_row: int
    id: pa.LargeStringArray
    src: pa.LargeStringArray
    loc: pa.Int64Array
    lengths: np.ndarray
    """Tokens per document, int64."""

    def __len__(self) -> int:
        return len(self.lengths)

    def slice(self, start: int, stop: int) -> Documents:
        """The documents from position `start` up to before `stop`; copies nothing."""
        return Documents(
            first_row=self.first_row + start,
            id=self.id[start:stop],
            src=self.src[start:stop],
            loc=self.loc[start:stop],
            lengths=self.lengths[start:stop],
        )


def read_documents(file: SourceFile) -> Iterator[Documents]:
    """The rows of the file's index, in order. Raises DataError when they do not cover its tokens without gap."""
    row = position = 0
    for batch in read_index(file.index_path):
        starts, ends = batch.column("start").to_numpy(), batch.column("end").to_numpy()
        wanted = np.concatenate(([position], ends[:-1]))
        wrong = np.flatnonzero((starts != wanted) | (ends < starts))
        if len(wrong):
            at = int(wrong[0])
            problem = f"document {starts[at]} to {ends[at]} does not begin where the one before it ends ({wanted[at]})"
            raise DataError(problem, path=file.index_path, line=row + at + 1)
        yield Documents(
            first_row=row, id=batch.column("id"), src=batch.column("src"), loc=batch.column("loc"), lengths=ends - starts
        )
        row += len(ends)
        position = int(ends[-1]) if len(ends) else position
    if (row, position) != (file.array.documents, file.array.tokens):
        expected = f"arrays.json says {file.array.documents:,} of {file.array.tokens:,}"
        raise DataError(f"holds {row:,} documents of {position:,} tokens; {expected}", path=file.index_path)


def read_chunks(file: SourceFile) -> Iterator[tuple[Documents, np.ndarray]]:
    """The file's documents with their tokens, at most CHUNK_BYTES at a time, unless one document alone is larger.

    The token array is overwritten by the next chunk. Raises DataError as `read_documents` does, and when tokens or index
    are not the bytes that arrays.json describes: a file that changed by a byte is refused, if only at its end.
    """
    _check_index(file)
    dtype = numpy_dtype(file.dtype)
    buffer = np.empty(min(CHUNK_BYTES // dtype.itemsize, file.array.tokens), dtype)
    digest = hashlib.sha256()
    with storage.open_bytes(file.path) as raw:
        for documents in _chunks(read_documents(file), len(buffer)):
            count = int(documents.lengths.sum())
            if count > len(buffer):
                buffer = np.empty(count, dtype)
            tokens = buffer[:count]
            view = tokens.view(np.uint8).data
            if _read_into(raw, view, file.path) < len(view):
                raise DataError(f"ends before its {file.array.tokens:,} tokens; it was cut short", path=file.path)
            digest.update(view)
            yield documents, tokens
    _check_sha256(digest.hexdigest(), file.array.sha256, file.path)


def _check_index(file: SourceFile) -> None:
    digest = hashlib.sha256()
    with storage.open_bytes(file.index_path) as raw, storage_errors("read", file.index_path):
        while block := raw.read(1 << 20):
            digest.update(block)
    _check_sha256(digest.hexdigest(), file.array.index_sha256, file.index_path)


def _check_sha256(found: str, expected: str, path: str) -> None:
    if found != expected:
        problem = f"was changed after it was written: its sha256 is {found}, arrays.json says {expected}; restore or rebuild it"
        raise DataError(problem, path=path)


def _chunks(batches: Iterator[Documents], limit_tokens: int) -> Iterator[Documents]:
    """The same documents, regrouped so that each group has at most `limit_tokens` tokens, or one document."""
    held: list[Documents] = []
    held_tokens = 0
    for batch in batches:
        ends = np.cumsum(batch.lengths)
        start = before = 0
        while start < len(batch):
            stop = int(np.searchsorted(ends, before + limit_tokens - held_tokens, side="right"))
            if stop == start and not held:
                stop = start + 1
            if stop > start:
                held.append(batch.slice(start, stop))
                held_tokens += int(ends[stop - 1]) - before
                start, before = stop, int(ends[stop - 1])
            if start < len(batch):
                yield _joined(held)
                held, held_tokens = [], 0
    if held:
        yield _joined(held)


def _joined(parts: list[Documents]) -> Documents:
    if len(parts) == 1:
        return parts[0]
    return Documents(
        first_row=parts[0].first_row,
        id=pa.concat_arrays([part.id for part in parts]),
        src=pa.concat_arrays([part.src for part in parts]),
        loc=pa.concat_arrays([part.loc for part in parts]),
        lengths=np.concatenate([part.lengths for part in parts]),
    )


def _read_into(stream: BinaryIO, view: memoryview, path: str) -> int:
    readable = cast(io.RawIOBase, stream)
    filled = 0
    while filled < len(view):
        with storage_errors("read", path):
            count = readable.readinto(view[filled:])
        if not count:
            break
        filled += count
    return filled
