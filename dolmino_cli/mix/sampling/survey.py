"""The one reading of a source's index: its documents counted by hash, and those that may be taken written to scratch.

Which documents are taken is known only when all are counted. But hashes are even, so a share of a large source lies below
a hash that can be told beforehand with room to spare; only documents below it are kept (see `choose`). Tokens of a local
source stay where they are and are checked; of a remote one, the kept documents' are copied to scratch on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from dolmino_cli.kernels.keyed_hash import hash_strings
from dolmino_cli.mix.keys import selection_key
from dolmino_cli.mix.reading import Documents, SourceFile, check_tokens, read_documents
from dolmino_cli.mix.sampling.copy_tokens import TokenCopy
from dolmino_cli.mix.sampling.select import Histogram, prefixes_of
from dolmino_cli.shards.failures import storage_errors

Reader = Callable[[SourceFile], Iterator[Documents]]

SCHEMA = pa.schema(
    [
        ("rank", pa.uint64()),  # the selection hash
        ("row", pa.int64()),  # in the source file
        ("offset", pa.int64()),  # where its tokens begin in the file that they are read from
        ("length", pa.int64()),  # tokens
        ("id", pa.large_string()),
        ("src", pa.large_string()),  # as the source's own row has it
        ("loc", pa.int64()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class SurveyTask:
    """One source file. Documents whose hash has one of the prefixes `kept` are kept."""

    file: SourceFile
    place: int
    """Which of all files of the mix it is: names its scratch files."""
    seed: int
    kept: range
    scratch: Path
    table_bytes: int
    """About how large a table becomes before the next is begun."""
    check_tokens: bool = True
    copy_tokens: bool = False
    reader: Reader = read_documents


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A table of kept documents of one file, in its order."""

    path: Path
    file: SourceFile
    place: int
    documents: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Surveyed:
    """What a file holds."""

    histogram: Histogram
    tables: tuple[Kept, ...]


def copied_tokens(scratch: Path, place: int) -> Path:
    """Where the kept tokens of a remote file are."""
    return scratch / f"{place:06d}.tokens"


def survey(task: SurveyTask) -> Surveyed:
    """Read one file once. Raises DataError when it is not what its arrays.json says, StorageError when scratch is full."""
    histogram = Histogram()
    key = selection_key(task.seed, task.file.source)
    tables = _Tables(task)
    with ExitStack() as stack:
        stack.enter_context(storage_errors("write scratch for", f"{task.file.path} in {task.scratch}"))
        copy = None
        if task.copy_tokens:
            copy = stack.enter_context(TokenCopy(task.file, copied_tokens(task.scratch, task.place)))
        checking = task.check_tokens and not task.copy_tokens
        checker = stack.enter_context(ThreadPoolExecutor(1) if checking else nullcontext())
        checked = checker.submit(check_tokens, task.file) if checker else None
        stack.callback(tables.close)
        for documents in task.reader(task.file):
            ranks = hash_strings(documents.id, key)
            histogram.add_documents(ranks, documents.lengths)
            prefixes = prefixes_of(ranks)
            kept = np.flatnonzero((prefixes >= task.kept.start) & (prefixes < task.kept.stop))
            starts = documents.first_token + np.cumsum(documents.lengths) - documents.lengths
            end = documents.first_token + int(documents.lengths.sum())
            offsets = copy.copy(starts[kept], documents.lengths[kept], end) if copy else starts[kept]
            tables.add(_batch(documents, kept, ranks, offsets))
        if copy:
            copy.finish()
        if checked:
            checked.result()
    return Surveyed(histogram=histogram, tables=tuple(tables.done))


def _batch(documents: Documents, kept: np.ndarray, ranks: np.ndarray, offsets: np.ndarray) -> pa.RecordBatch:
    taken = pa.array(kept)
    columns = [
        pa.array(ranks[kept]),
        pa.array(documents.first_row + kept),
        pa.array(offsets),
        pa.array(documents.lengths[kept]),
        documents.id.take(taken),
        documents.src.take(taken),
        documents.loc.take(taken),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


class _Tables:
    """The kept documents of a file, cut into tables that one task can hold in memory."""

    def __init__(self, task: SurveyTask) -> None:
        self._task = task
        self.done: list[Kept] = []
        self._writer: pa.ipc.RecordBatchFileWriter | None = None
        self._documents = self._bytes = 0

    def add(self, batch: pa.RecordBatch) -> None:
        # A block of an index is some MB; a table is more.
        if not len(batch):
            return
        if self._writer is None:
            self._file = pa.OSFile(str(self._path), "wb")
            self._writer = pa.ipc.new_file(self._file, SCHEMA)
        self._writer.write_batch(batch)
        self._documents += len(batch)
        self._bytes += batch.nbytes
        if self._bytes >= self._task.table_bytes:
            self.close()

    @property
    def _path(self) -> Path:
        return self._task.scratch / f"{self._task.place:06d}-{len(self.done):04d}.kept"

    def close(self) -> None:
        """End the table that was begun, if one was."""
        if self._writer is None:
            return
        self._writer.close()
        self._file.close()
        self._writer = None
        self.done.append(
            Kept(path=self._path, file=self._task.file, place=self._task.place, documents=self._documents, bytes=self._bytes)
        )
        self._documents = self._bytes = 0
