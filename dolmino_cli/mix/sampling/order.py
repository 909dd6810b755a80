"""Kept documents to the mix's order: the taken ones of some tables, per copy, sorted by their order key and cut by part.

What is sorted at a time fits in memory; a run is one such sorted table of one copy, with a place for every part's slice. So a
part is made by reading one slice of every run, and nothing is looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from dolmino_cli.kernels.keyed_hash import hash_strings
from dolmino_cli.mix.keys import order_key
from dolmino_cli.mix.sampling.gather import first_key
from dolmino_cli.mix.sampling.kept import read_tables
from dolmino_cli.mix.sampling.records import remembered
from dolmino_cli.mix.sampling.runs import SCHEMA, Run
from dolmino_cli.mix.sampling.select import Selection
from dolmino_cli.mix.sampling.survey import Kept
from dolmino_cli.shards.appearing import appearing
from dolmino_cli.shards.failures import storage_errors


@dataclass(frozen=True, kw_only=True)
class OrderTask:
    """Consecutive tables of one source to bring into order."""

    tables: tuple[Kept, ...]
    selection: Selection
    seed: int
    parts: int
    path: Path
    """The scratch file to write."""

    @property
    def record(self) -> Path:
        """Where it is put down what was written."""
        return self.path.with_suffix(".order")


def groups(tables: Sequence[Kept], limit_bytes: int) -> list[tuple[Kept, ...]]:
    """Consecutive tables together as long as they have at most `limit_bytes`, or one."""
    found: list[list[Kept]] = []
    filled = 0
    for table in tables:
        if not found or filled + table.bytes > limit_bytes:
            found.append([])
            filled = 0
        found[-1].append(table)
        filled += table.bytes
    return [tuple(group) for group in found]


def order(task: OrderTask) -> list[Run]:
    """Write one file of runs, one run per copy that takes anything, and remove the tables. Raises StorageError."""
    runs = remembered(task.record, lambda: _order(task))
    for table in task.tables:
        table.path.unlink(missing_ok=True)
    return runs


def _order(task: OrderTask) -> list[Run]:
    kept = read_tables(task.tables)
    source = task.tables[0].file.source
    sizes = [table.documents for table in task.tables]
    places = np.repeat([table.place for table in task.tables], sizes).astype(np.int32)
    numbers = np.repeat([table.file.number for table in task.tables], sizes)
    copies = task.selection.copies_of(kept.column("rank").to_numpy(), files=numbers, rows=kept.column("row").to_numpy())
    runs = []
    with (
        storage_errors("write scratch", str(task.path)),
        appearing(task.path) as partial,
        partial.open("wb", buffering=0) as out,
    ):
        for copy, mask in enumerate(copies):
            batch = _in_order(kept, places, np.flatnonzero(mask), order_key(task.seed, source, copy))
            if len(batch):
                bounds = _write_slices(out, batch, task.parts)
                tokens = int(batch.column("length").to_numpy().sum())
                run = Run(path=task.path, source=source, copy=copy, documents=len(batch), tokens=tokens, bounds=bounds)
                runs.append(run)
    return runs


def _in_order(kept: pa.RecordBatch, places: np.ndarray, chosen: np.ndarray, key: bytes) -> pa.RecordBatch:
    """The chosen rows sorted by their hash under `key`, then as they stand."""
    keys = hash_strings(kept.column("id").take(pa.array(chosen)), key)
    by_key = np.argsort(keys, kind="stable")
    rows = chosen[by_key]
    taken = pa.array(rows)
    columns = [kept.column(name).take(taken) for name in SCHEMA.names[2:]]
    return pa.RecordBatch.from_arrays([pa.array(keys[by_key]), pa.array(places[rows]), *columns], schema=SCHEMA)


def _write_slices(out: BinaryIO, batch: pa.RecordBatch, parts: int) -> np.ndarray:
    """Append each part's rows as an Arrow message; the byte bounds of all parts (int64, one more than parts)."""
    firsts = np.array([first_key(part, parts) for part in range(1, parts)], np.uint64)
    rows = np.concatenate(([0], np.searchsorted(batch.column("key").to_numpy(), firsts), [len(batch)]))
    bounds = np.zeros(parts + 1, np.int64)
    bounds[0] = position = out.tell()
    for part in range(parts):
        if rows[part + 1] > rows[part]:
            message = batch.slice(rows[part], rows[part + 1] - rows[part]).serialize()
            view = memoryview(message)
            while len(view):  # An unbuffered write may be partial.
                view = view[out.write(view) :]
            position += message.size
        bounds[part + 1] = position
    return bounds
