"""One record of a shard, by its line: nothing else of the shard is decoded, and of Parquet no other row group is read."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dolmino_cli.errors import DataError
from dolmino_cli.shards.compression import PlainBytes
from dolmino_cli.shards.conversion import kept_bytes
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.formats import format_of
from dolmino_cli.shards.lines import blocks
from dolmino_cli.shards.storage import open_bytes, open_seekable

_BLOCK_BYTES = 1 << 20


def read_record(path: str, line: int) -> bytes:
    """Line `line` (from 1) of a shard, as it stands there; a row of Parquet as JSON.

    A compressed shard is decompressed up to that line. Raises DataError when there is no such line, StorageError.
    """
    assert line >= 1, f"line {line}"
    if format_of(path).kind == "parquet":
        return kept_bytes(read_row(path, line).to_struct_array())
    with open_bytes(path) as source:
        stream = PlainBytes(source, format_of(path).compression)
        lines = blocks(stream, _BLOCK_BYTES)
        last = 0
        while True:
            with storage_errors("read", path):
                block = next(lines, None)
            if block is None:
                raise DataError(stream.problem or f"has {last:,} lines, not {line:,}", path=path)
            if line < block.first + len(block.starts):
                at = line - block.first
                return block.buffer[block.starts[at] : block.ends[at]].tobytes()
            last = block.first + len(block.starts) - 1


def read_row(path: str, row: int, *, where: str | None = None) -> pa.RecordBatch:
    """Row `row` (from 1) of a Parquet file as a batch of one row; with `where`, of the rows in which that column is true.

    Of all row groups up to the row's, the column `where` is read, and of the row's own everything. Raises DataError.
    """
    import pyarrow.parquet as pq  # takes 50 ms to import

    with _seekable(path) as source, storage_errors("read", path):
        try:
            file = pq.ParquetFile(source, pre_buffer=False)
            if where is not None and where not in file.schema_arrow.names:
                raise DataError(f"no column {where!r}; the file has: {', '.join(file.schema_arrow.names)}", path=path)
            passed = 0
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                chosen = None
                if where is not None:
                    chosen = pc.indices_nonzero(file.read_row_group(group, [where]).column(where).combine_chunks())
                    rows = len(chosen)
                if row <= passed + rows:
                    at = row - passed - 1 if chosen is None else chosen[row - passed - 1].as_py()
                    return file.read_row_group(group, use_threads=False).slice(at, 1).combine_chunks().to_batches()[0]
                passed += rows
        except pa.ArrowInvalid as error:
            raise DataError(f"truncated or corrupt Parquet: {error}", path=path) from None
    raise DataError(f"has {passed:,} rows{f' with {where}' if where else ''}, not {row:,}", path=path)


def _seekable(path: str) -> Any:
    return open_seekable(path) if "://" in path else pa.OSFile(path)
