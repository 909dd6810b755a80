"""Parquet written row group by row group into a pending output: attributes and quarantine."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from dolmino_cli.shards.reading import Quarantined
from dolmino_cli.shards.storage import Pending

ROW_GROUP_ROWS = 16_384


class Sidecar:
    """Rows of one schema, buffered to row groups of `ROW_GROUP_ROWS` so that memory stays bounded."""

    def __init__(self, pending: Pending, schema: pa.Schema) -> None:
        self._pending = pending
        self._writer = pq.ParquetWriter(pending, schema, compression="zstd")
        self._schema = schema
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows of the schema given at construction."""
        self._batches.append(batch)
        self._rows += len(batch)
        if self._rows >= ROW_GROUP_ROWS:
            self._flush()

    def finish(self) -> None:
        """Write what is buffered and the footer; an untouched sidecar is a valid file of zero rows."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pa.Table.from_batches(self._batches, self._schema).combine_chunks(), ROW_GROUP_ROWS)
        self._batches, self._rows = [], 0


QUARANTINE_SCHEMA = pa.schema(
    [("file", pa.string()), ("line", pa.int64()), ("reason", pa.string()), ("record", pa.large_binary())]
)


def quarantine_rows(shard: str, records: Sequence[Quarantined]) -> pa.RecordBatch:
    """Unreadable records as rows: file, 1-based line, why, the bytes themselves."""
    columns = [
        [shard] * len(records),
        [record.line for record in records],
        [record.reason for record in records],
        [record.record for record in records],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, QUARANTINE_SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=QUARANTINE_SCHEMA)
