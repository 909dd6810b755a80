"""One token-array file and its index, read side by side from front to back, some MB at a time and checked on the way."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.csv

from dolmino_cli.errors import DataError
from dolmino_cli.shards import storage

CHUNK_BYTES = 32 << 20
_CSV_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One array file of one source, as `arrays.json` describes it."""

    source: str
    number: int
    """0-based, in the order of the source's file names."""
    root: str
    name: str
    index_name: str
    tokens: int
    documents: int
    dtype: str
    """numpy's name of the little-endian token type: '<u2' or '<u4'."""
    sha256: str
    index_sha256: str

    @property
    def path(self) -> str:
        """Where its tokens are."""
        return storage.join(self.root, self.name)

    @property
    def index_path(self) -> str:
        """Where its documents' rows are."""
        return storage.join(self.root, self.index_name)


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
    """The rows of the file's index, in order.

    Raises DataError when the rows do not cover the file's tokens without gap, or the index is not the one that
    `arrays.json` describes; the latter is known only at its end.
    """
    row = position = 0
    with storage.open_bytes(file.index_path) as raw:
        hashed = _HashedReader(raw)
        if file.documents:
            for batch in _csv_batches(hashed, file.index_path):
                starts, ends = batch.column(0).to_numpy(), batch.column(1).to_numpy()
                expected = np.concatenate(([position], ends[:-1]))
                wrong = np.flatnonzero((starts != expected) | (ends < starts))
                if len(wrong):
                    at = int(wrong[0])
                    problem = f"document {starts[at]}..{ends[at]} does not begin where the one before it ends ({expected[at]})"
                    raise DataError(problem, path=file.index_path, line=row + at + 1)
                yield Documents(
                    first_row=row,
                    id=batch.column(2),
                    src=batch.column(3),
                    loc=batch.column(4),
                    lengths=ends - starts,
                )
                row += len(ends)
                position = int(ends[-1])
        hashed.drain()
    if (row, position) != (file.documents, file.tokens):
        problem = f"holds {row:,} documents of {position:,} tokens; arrays.json says {file.documents:,} of {file.tokens:,}"
        raise DataError(problem, path=file.index_path)
    _check_sha256(hashed.sha256(), file.index_sha256, file.index_path)


def read_chunks(file: SourceFile) -> Iterator[tuple[Documents, np.ndarray]]:
    """The file's documents with their tokens, at most CHUNK_BYTES at a time, unless one document alone is larger.

    The token array is overwritten by the next chunk. Raises DataError as `read_documents` does, and when the tokens are
    not those that `arrays.json` describes: a file that changed by a byte is refused, if only at its end.
    """
    dtype = np.dtype(file.dtype)
    buffer = np.empty(min(CHUNK_BYTES // dtype.itemsize, file.tokens), dtype)
    digest = hashlib.sha256()
    with storage.open_bytes(file.path) as raw:
        for documents in _chunks(read_documents(file), len(buffer)):
            count = int(documents.lengths.sum())
            if count > len(buffer):
                buffer = np.empty(count, dtype)
            tokens = buffer[:count]
            view = memoryview(tokens).cast("B")
            if _read_into(cast(io.RawIOBase, raw), view) < len(view):
                raise DataError(f"ends before its {file.tokens:,} tokens; it was cut short", path=file.path)
            digest.update(view)
            yield documents, tokens
        if raw.read(1):
            raise DataError(f"goes on after its {file.tokens:,} tokens; it was changed", path=file.path)
    _check_sha256(digest.hexdigest(), file.sha256, file.path)


def _check_sha256(found: str, expected: str, path: str) -> None:
    if found != expected:
        problem = f"was changed after it was written: its sha256 is {found}, arrays.json says {expected}; restore or rebuild it"
        raise DataError(problem, path=path)


def _csv_batches(stream: _HashedReader, path: str) -> Iterator[pa.RecordBatch]:
    names = ["start", "end", "id", "src", "loc"]
    types = dict(zip(names, [pa.int64(), pa.int64(), pa.large_string(), pa.large_string(), pa.int64()], strict=True))
    try:
        yield from pyarrow.csv.open_csv(
            pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), "gzip"),
            # One thread: the workers are the parallelism.
            read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=_CSV_BLOCK_BYTES, column_names=names),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=types, include_columns=names, null_values=[], strings_can_be_null=False
            ),
        )
    except pa.ArrowException as error:
        raise DataError(f"is not an index of start,end,id,src,loc: {error}", path=path) from None


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


def _read_into(stream: io.RawIOBase, view: memoryview) -> int:
    filled = 0
    while filled < len(view):
        count = stream.readinto(view[filled:])
        if not count:
            break
        filled += count
    return filled


class _HashedReader(io.RawIOBase):
    """Passes bytes through and keeps their sha256."""

    def __init__(self, raw: io.BufferedIOBase | object) -> None:
        self._raw = cast(io.BufferedIOBase, raw)
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._raw.read(size)
        self._digest.update(data)
        return data

    def drain(self) -> None:
        """Read what is left."""
        while self.read(1 << 20):
            pass

    def sha256(self) -> str:
        """Of all bytes read so far, hex."""
        return self._digest.hexdigest()
