"""The documents of one token-array file, from its index, and the check that index and tokens are the bytes they should be."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, cast

import numpy as np
import pyarrow as pa

from dolmino_cli.errors import DataError
from dolmino_cli.shards import storage
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.tokens.arrays import ArrayFile
from dolmino_cli.tokens.index import parse_index


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

    @property
    def is_remote(self) -> bool:
        """Is it anywhere but on a local disk?"""
        return storage.is_remote(self.root)


@dataclass(frozen=True, kw_only=True)
class Documents:
    """Consecutive documents of a file, without their tokens."""

    first_row: int
    first_token: int
    """Where the first of them begins in the file; each begins where the one before it ends."""
    id: pa.LargeStringArray
    src: pa.LargeStringArray
    loc: pa.Int64Array
    lengths: np.ndarray
    """Tokens per document, int64."""

    def __len__(self) -> int:
        return len(self.lengths)


def read_documents(file: SourceFile) -> Iterator[Documents]:
    """The rows of the file's index, in order, some MB at a time.

    Raises DataError when they do not cover its tokens without gap, and at the end when the index is not the bytes that
    arrays.json describes.
    """
    row = position = 0
    with storage.open_bytes(file.index_path) as raw:
        hashed = Hashed(raw, file.index_path)
        for batch in parse_index(cast(BinaryIO, hashed), file.index_path):
            starts, ends = batch.column("start").to_numpy(), batch.column("end").to_numpy()
            wanted = np.concatenate(([position], ends[:-1]))
            wrong = np.flatnonzero((starts != wanted) | (ends < starts))
            if len(wrong):
                at = int(wrong[0])
                problem = f"document {starts[at]} to {ends[at]} does not begin where the one before it ends ({wanted[at]})"
                raise DataError(problem, path=file.index_path, line=row + at + 1)
            columns = {name: batch.column(name) for name in ("id", "src", "loc")}
            yield Documents(first_row=row, first_token=position, lengths=ends - starts, **columns)
            row += len(ends)
            position = int(ends[-1]) if len(ends) else position
        found = hashed.finish()
    if (row, position) != (file.array.documents, file.array.tokens):
        expected = f"arrays.json says {file.array.documents:,} of {file.array.tokens:,}"
        raise DataError(f"holds {row:,} documents of {position:,} tokens; {expected}", path=file.index_path)
    check_sha256(found, file.array.index_sha256, file.index_path)


def check_tokens(file: SourceFile) -> None:
    """Read the file's tokens. Raises DataError when they are not the bytes that arrays.json describes."""
    with storage.open_bytes(file.path) as raw:
        check_sha256(Hashed(raw, file.path).finish(), file.array.sha256, file.path)


def check_sha256(found: str, expected: str, path: str) -> None:
    """Raise DataError unless they are equal."""
    if found != expected:
        problem = f"was changed after it was written: its sha256 is {found}, arrays.json says {expected}; restore or rebuild it"
        raise DataError(problem, path=path)


class Hashed(io.RawIOBase):
    """A stream that hashes what is read through it. Closing it leaves the stream below open."""

    def __init__(self, raw: BinaryIO, path: str) -> None:
        self._raw, self._path = cast(io.RawIOBase, raw), path
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, target: Any, /) -> int:
        """Fill `target` as far as one read gives bytes; 0 at the end. Raises StorageError."""
        view = memoryview(target).cast("B")
        with storage_errors("read", self._path):
            count = self._raw.readinto(view) or 0
        self._digest.update(view[:count])
        return count

    def fill(self, view: memoryview) -> int:
        """Read until `view` is full or the stream ends; the bytes read."""
        filled = 0
        while filled < len(view) and (count := self.readinto(view[filled:])):
            filled += count
        return filled

    def finish(self) -> str:
        """Read what is left; the sha256 (hex) of all of it."""
        block = memoryview(bytearray(1 << 20))
        while self.readinto(block):
            pass
        return self._digest.hexdigest()
