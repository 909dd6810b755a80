"""Parquet -> batches: rows become struct records, a few at a time however large the row groups are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dolmino_cli.documents import Batch
from dolmino_cli.errors import DataError
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.faults import Quarantined
from dolmino_cli.shards.parquet_parts import Rows, cut
from dolmino_cli.shards.parquet_rows import batch_of, documents
from dolmino_cli.shards.parquet_views import without_views
from dolmino_cli.shards.read_options import ReadOptions
from dolmino_cli.shards.storage import is_remote, open_seekable

# A column chunk is fetched this much at a time instead of whole: row groups of 1 GB exist. S3 pays per request.
_PAGE_BUFFER_BYTES = {"local": 1 << 20, "remote": 8 << 20}
_MOST_ROWS = 1 << 16


def read(path: str, options: ReadOptions) -> Iterator[tuple[Batch, list[Quarantined]]]:
    """As `reading.read_batches`, of one Parquet file. Lines are row numbers, from 1.

    Documents made of a publisher's rows have JSON as their records, without the columns that are null.

    A damaged file ends, in quarantine, with one set-aside record of 0 bytes at the row that was reached; a file without
    proper `id` and `text` columns has all of its rows set aside (as JSON).
    """
    with ParquetParts(path, options, None) as parts:
        yield from parts.read()


class ParquetParts:
    """As `parts.Parts`, of runs of rows. A damaged part ends where the damage is; the parts after it are read as they can be."""

    def __init__(self, path: str, options: ReadOptions, part_bytes: int | None) -> None:
        self.path, self._options, self._part_bytes = path, options, part_bytes
        self.number = self.lines = 0
        self._opened = ExitStack()
        self._file: pq.ParquetFile | None = None
        self._cut: list[list[Rows]] = [[]]

    def __enter__(self) -> ParquetParts:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @property
    def is_last(self) -> bool:
        """As `Parts.is_last`."""
        return self.number == len(self._cut) - 1

    def go_to(self, number: int) -> bool:
        """As `Parts.go_to`."""
        self.number = number
        with suppress(_Damaged), storage_errors("read", self.path), _damages():
            self._open()
        return number < len(self._cut)

    def read(self) -> Iterator[tuple[Batch, list[Quarantined]]]:
        """As `Parts.read`."""
        path, options = self.path, self._options
        self.lines = 0
        pieces = self._rows()
        while True:
            try:
                with storage_errors("read", path), _damages():
                    batch = next(pieces, None)
            except _Damaged as damage:
                reached = self.lines_before() + self.lines + 1
                if options.on_error == "fail":
                    raise DataError(damage.reason, path=path, line=reached if reached > 1 else None) from None
                nothing = batch_of(path, pa.RecordBatch.from_pydict({}), self.lines + 1, records=options.records)
                self.lines += 1
                yield nothing, [Quarantined(line=self.lines, reason=damage.reason, record=b"")]
                return
            if batch is None:
                return
            made, quarantined, large = documents(path, batch, self.lines + 1, options)
            if quarantined and options.on_error == "fail":
                worst = quarantined[0]
                raise DataError(worst.reason, path=path, line=self.lines_before() + worst.line)
            yield made, sorted(quarantined + large, key=lambda one: one.line) if large else quarantined
            self.lines += len(batch)

    def _open(self) -> pq.ParquetFile:
        if self._file is None:
            buffer_bytes = _PAGE_BUFFER_BYTES["remote" if is_remote(self.path) else "local"]
            source = self._opened.enter_context(_open(self.path))
            # pre_buffer would fetch every column chunk of a row group whole, and make buffer_size mean nothing.
            self._file = self._opened.enter_context(pq.ParquetFile(source, buffer_size=buffer_bytes, pre_buffer=False))
            self._cut = cut(self._file.metadata, self._part_bytes)
        return self._file

    def lines_before(self) -> int:
        """As `Parts.lines_before`."""
        if self._file is None or not self._cut[self.number]:
            return 0
        first = self._cut[self.number][0]
        return first.start + sum(int(self._file.metadata.row_group(group).num_rows) for group in range(first.group))

    def _rows(self) -> Iterator[pa.RecordBatch]:
        file = self._open()
        batch_bytes = self._options.batch_bytes
        for stretch in self._cut[self.number]:
            metadata = file.metadata.row_group(stretch.group)
            row_bytes = max(1, metadata.total_byte_size // max(1, metadata.num_rows))
            rows = min(max(1, batch_bytes // row_bytes), _MOST_ROWS)
            at = 0  # pages have no index to go by: the rows before the part are decoded, and let go
            for found in file.iter_batches(batch_size=rows, row_groups=[stretch.group], use_threads=False):
                batch = without_views(found).slice(max(0, stretch.start - at), max(0, stretch.stop - max(at, stretch.start)))
                at += len(found)
                # Dictionary pages make rows larger than the file says: cut what came out too large.
                pieces = min(len(batch), max(1, batch.nbytes // (2 * batch_bytes)))
                size = -(-len(batch) // max(1, pieces))
                yield from (batch.slice(start, size) for start in range(0, len(batch), max(1, size)))
                if at >= stretch.stop:
                    break


class _Damaged(Exception):
    def __init__(self, error: Exception) -> None:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        self.reason = f"truncated or corrupt Parquet: {first_line}"
        super().__init__(self.reason)


@contextmanager
def _damages() -> Iterator[None]:
    """Turns what pyarrow says of a damaged file into _Damaged; the store's own errors stay as they are."""
    try:
        yield
    except pa.ArrowException as error:
        raise _Damaged(error) from None
    except OSError as error:
        if error.errno is not None:
            raise  # the store failed, not the file
        raise _Damaged(error) from None


def _open(path: str) -> Any:
    return open_seekable(path) if is_remote(path) else pa.OSFile(path)
