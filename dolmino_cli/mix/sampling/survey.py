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
from types import TracebackType

import numpy as np
import pyarrow as pa

from dolmino_cli.kernels.keyed_hash import hash_strings
from dolmino_cli.mix.keys import selection_key
from dolmino_cli.mix.reading import Documents, SourceFile, check_tokens, read_documents
from dolmino_cli.mix.sampling.copy_tokens import TokenCopy
from dolmino_cli.mix.sampling.records import remembered
from dolmino_cli.mix.sampling.select import Histogram, prefixes_of
from dolmino_cli.shards.appearing import appearing
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

    @property
    def name(self) -> str:
        """Of its scratch files: a file that is read again is read for more, and leaves other ones."""
        return f"{self.place:06d}-{self.kept.start:05x}-{self.kept.stop:05x}"

    @property
    def record(self) -> Path:
        """Where it is put down what was found."""
        return self.scratch / f"{self.name}.survey"

    @property
    def tokens(self) -> Path:
        """Where the tokens of the kept documents are."""
        return self.scratch / f"{self.name}.tokens" if self.copy_tokens else Path(self.file.path)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A table of kept documents of one file, in its order."""

    path: Path
    file: SourceFile
    place: int
    tokens: Path
    """The file that their tokens are read from."""
    documents: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Surveyed:
    """What a file holds."""

    histogram: Histogram
    tables: tuple[Kept, ...]


def survey(task: SurveyTask) -> Surveyed:
    """Read one file once. Raises DataError when it is not what its arrays.json says, StorageError when scratch is full."""
    return remembered(task.record, lambda: _survey(task))


def _survey(task: SurveyTask) -> Surveyed:
    histogram = Histogram()
    key = selection_key(task.seed, task.file.source)
    tables = _Tables(task)
    with ExitStack() as stack:
        stack.enter_context(storage_errors("write scratch for", f"{task.file.path} in {task.scratch}"))
        copy = None
        if task.copy_tokens:
            copy = stack.enter_context(TokenCopy(task.file, stack.enter_context(appearing(task.tokens))))
        checking = task.check_tokens and not task.copy_tokens
        checker = stack.enter_context(ThreadPoolExecutor(1) if checking else nullcontext())
        checked = checker.submit(check_tokens, task.file) if checker else None
        stack.enter_context(tables)
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
    """The kept documents of a file, cut into tables that one task can hold in memory. A context manager."""

    def __init__(self, task: SurveyTask) -> None:
        self._task = task
        self.done: list[Kept] = []
        self._writer: pa.ipc.RecordBatchFileWriter | None = None
        self._documents = self._bytes = 0

    def __enter__(self) -> _Tables:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end(error)

    def add(self, batch: pa.RecordBatch) -> None:
        # A block of an index is some MB; a table is more.
        if not len(batch):
            return
        if self._writer is None:
            self._stack = ExitStack()
            file = self._stack.enter_context(pa.OSFile(str(self._stack.enter_context(appearing(self._path))), "wb"))
            self._writer = self._stack.enter_context(pa.ipc.new_file(file, SCHEMA))
        self._writer.write_batch(batch)
        self._documents += len(batch)
        self._bytes += batch.nbytes
        if self._bytes >= self._task.table_bytes:
            self._end(None)

    @property
    def _path(self) -> Path:
        return self._task.scratch / f"{self._task.name}-{len(self.done):04d}.kept"

    def _end(self, error: BaseException | None) -> None:
        """End the table that was begun, if one was; after an error it does not appear."""
        if self._writer is None:
            return
        self._writer = None
        self._stack.__exit__(type(error) if error else None, error, None)
        task = self._task
        size = {"documents": self._documents, "bytes": self._bytes}
        self.done.append(Kept(path=self._path, file=task.file, place=task.place, tokens=task.tokens, **size))
        self._documents = self._bytes = 0
