"""Batches of records -> one file of any format, written in large pieces."""

from __future__ import annotations

import io
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dolmino_cli.errors import DataError
from dolmino_cli.shards.compression import compressing
from dolmino_cli.shards.conversion import DOCUMENT_FIELDS, to_columns, to_json_lines
from dolmino_cli.shards.formats import Format, format_of
from dolmino_cli.shards.output import Pending

_ROW_GROUP_BYTES = 32 << 20
_ROW_GROUP_ROWS = 1 << 17
_NOTHING, _NEWLINE = pa.scalar(b"", pa.large_binary()), pa.scalar(b"\n", pa.large_binary())


class DocumentWriter:
    """Writes records (as in `Batch.record`) to `pending` in the format that `suffix` says. The caller publishes.

    JSONL records go to JSONL, and Parquet rows to Parquet, as they are; the other two ways are converted
    (`conversion.py`). After `finish` an output without any document is a valid file too. The same records give the same
    bytes for JSONL however they are cut into calls; for Parquet, the cut of the row groups follows the calls.
    """

    def __init__(self, pending: Pending, suffix: str, *, zstd_level: int = 3, gzip_level: int = 6) -> None:
        self.documents = 0
        self.plain_bytes = 0
        """What was written before compression; for Parquet the size of the columns in memory."""
        wanted = format_of(suffix)
        rows = wanted.kind == "parquet"
        self._sink: _Sink = _Rows(pending, zstd_level) if rows else _Lines(pending, wanted, zstd_level, gzip_level)

    def write(self, record: pa.Array) -> None:
        """Append documents. Raises StorageError; DataError when rows do not have the columns of the first ones."""
        self.documents += len(record)
        self.plain_bytes += self._sink.write(record)

    def finish(self) -> None:
        """End the file's content (`pending` stays open for `publish`)."""
        self._sink.finish()


class _Sink(Protocol):
    def write(self, record: pa.Array) -> int: ...
    def finish(self) -> None: ...


class _Lines:
    def __init__(self, pending: Pending, kind: Format, zstd_level: int, gzip_level: int) -> None:
        self._pending = pending
        self._out = compressing(pending, kind.compression, zstd_level=zstd_level, gzip_level=gzip_level)

    def write(self, record: pa.Array) -> int:
        if not len(record):
            return 0
        if pa.types.is_struct(record.type):
            try:
                lines: bytes | memoryview = to_json_lines(record)
            except (UnicodeDecodeError, ValueError) as error:
                raise DataError(f"a row cannot be written as JSON: {error}", path=self._pending.destination) from None
        else:
            lines = joined(record)
        self._out.write(lines)
        return len(lines)

    def finish(self) -> None:
        self._out.close()


def joined(record: pa.LargeBinaryArray) -> memoryview:
    """The records back to back, each with \\n: one buffer, made without an object per document."""
    lines = pc.binary_join_element_wise(record, _NOTHING, _NEWLINE)
    _, offsets, data = lines.buffers()
    ends = memoryview(offsets).cast("q")
    return memoryview(data)[ends[lines.offset] : ends[lines.offset + len(lines)]]


class _UntilClosed(io.RawIOBase):
    """Passes writes on to a file until that is closed: pyarrow writes a footer when a writer given up on is collected."""

    def __init__(self, pending: Pending) -> None:
        self._pending = pending

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        return len(data) if self._pending.closed else self._pending.write(data)


class _Rows:
    def __init__(self, pending: Pending, zstd_level: int) -> None:
        self._pending, self._zstd_level = pending, zstd_level
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = self._waiting_rows = 0

    def write(self, record: pa.Array) -> int:
        rows = record if pa.types.is_struct(record.type) else to_columns(record)
        batch = pa.RecordBatch.from_struct_array(rows)
        writer = self._opened(batch.schema)
        if batch.schema.names != writer.schema.names or batch.schema.types != writer.schema.types:
            columns, expected = ({field.name: str(field.type) for field in schema} for schema in (batch.schema, writer.schema))
            raise DataError(f"rows of {columns} cannot follow rows of {expected} in one file", path=self._pending.destination)
        if len(batch):
            self._waiting.append(batch)
            self._waiting_bytes += batch.nbytes
            self._waiting_rows += len(batch)
        if self._waiting_bytes >= _ROW_GROUP_BYTES or self._waiting_rows >= _ROW_GROUP_ROWS:
            self._flush(writer)
        return int(batch.nbytes)

    def _opened(self, schema: pa.Schema) -> pq.ParquetWriter:
        if self._writer is None:
            sink = _UntilClosed(self._pending)
            self._writer = pq.ParquetWriter(sink, schema, compression="zstd", compression_level=self._zstd_level)
        return self._writer

    def _flush(self, writer: pq.ParquetWriter) -> None:
        if self._waiting:
            writer.write_table(pa.Table.from_batches(self._waiting, writer.schema), row_group_size=_ROW_GROUP_ROWS)
        self._waiting, self._waiting_bytes, self._waiting_rows = [], 0, 0

    def finish(self) -> None:
        writer = self._opened(pa.schema(DOCUMENT_FIELDS))
        self._flush(writer)
        writer.close()
