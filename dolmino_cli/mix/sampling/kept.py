"""Reading the tables of kept documents that `survey` wrote: into memory, not mapped, so that what is held is what counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from dolmino_cli.mix.sampling.survey import SCHEMA, Kept
from dolmino_cli.shards.failures import storage_errors


def read_tables(tables: Sequence[Kept]) -> pa.RecordBatch:
    """All rows of the tables, one after another."""
    batches = [batch for table in tables for batch in _batches(table.path, SCHEMA.names)]
    return batches[0] if len(batches) == 1 else pa.Table.from_batches(batches, SCHEMA).combine_chunks().to_batches()[0]


def read_columns(path: Path, names: Sequence[str]) -> list[np.ndarray]:
    """Numeric columns of a table; the others are not read."""
    batches = list(_batches(path, names))
    return [np.concatenate([batch.column(name).to_numpy() for batch in batches]) for name in names]


def _batches(path: Path, names: Sequence[str]) -> list[pa.RecordBatch]:
    with storage_errors("read scratch", str(path)), pa.OSFile(str(path), "rb") as file:
        wanted = pa.ipc.IpcReadOptions(included_fields=[SCHEMA.get_field_index(name) for name in names], use_threads=False)
        reader = pa.ipc.open_file(file, options=wanted)
        return [reader.get_batch(i) for i in range(reader.num_record_batches)]
