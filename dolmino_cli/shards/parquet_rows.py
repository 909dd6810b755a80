"""Parquet rows -> documents: which rows are none, and why; rows become struct records."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dolmino_cli.buffers import number_column
from dolmino_cli.documents import Batch
from dolmino_cli.shards.conversion import kept_bytes, to_json_lines, unwritable
from dolmino_cli.shards.faults import Quarantined, TooLarge
from dolmino_cli.shards.read_options import ReadOptions
from dolmino_cli.shards.rows import RowLayout, as_document


def documents(
    path: str, batch: pa.RecordBatch, first: int, options: ReadOptions
) -> tuple[Batch, list[Quarantined], list[Quarantined]]:
    """The documents of a batch whose first row is row `first`, the rows that are none, and those that are too large."""
    most_bytes = options.max_document_bytes
    too_large = _too_large(batch, most_bytes)
    large = [Quarantined(line=first + i, reason=one.reason(most_bytes), record=b"") for i, one in too_large.items()]
    if options.rows and any(_column_problem(batch.schema, name) for name in ("id", "text")):
        made, quarantined = _from_rows(path, batch, first, options.rows, too_large)
        return (made if options.records else replace(made, record=pa.nulls(len(made)))), quarantined, large
    reasons = _reasons(batch)
    faulty = {i: kept_bytes(batch.slice(i, 1).to_struct_array()) for i in sorted(reasons) if i not in too_large}
    quarantined = [Quarantined(line=first + i, reason=reasons[i], record=record) for i, record in faulty.items()]
    good = np.ones(len(batch), bool)
    good[[*reasons, *too_large]] = False
    return batch_of(path, batch, first, good, records=options.records), quarantined, large


def _from_rows(
    path: str, batch: pa.RecordBatch, first: int, layouts: Sequence[RowLayout], left_out: Container[int]
) -> tuple[Batch, list[Quarantined]]:
    found: list[tuple[int, bytes, tuple[bytes, str, str] | str]] = []
    for i in range(len(batch)):
        if i in left_out:
            continue
        row = batch.slice(i, 1).to_struct_array()
        try:
            line = to_json_lines(row).removesuffix(b"\n")
            found.append((first + i, line, as_document(line, layouts)))
        except ValueError:
            found.append((first + i, kept_bytes(row), unwritable(row) or "no JSON can hold it"))
    good = [(row, *document) for row, _, document in found if not isinstance(document, str)]
    made = Batch(
        shard=path,
        id=pa.array([id for _, _, id, _ in good], pa.large_string()),
        text=pa.array([text for _, _, _, text in good], pa.large_string()),
        record=pa.array([json for _, json, _, _ in good], pa.large_binary()),
        line=pa.array([row for row, _, _, _ in good], pa.int64()),
    )
    return made, [Quarantined(line=row, reason=why, record=line) for row, line, why in found if isinstance(why, str)]


def _too_large(batch: pa.RecordBatch, most_bytes: int) -> dict[int, TooLarge]:
    """Row within the batch -> what it has, where its strings have more bytes than allowed.

    The row is in memory by then: pyarrow reads a page of a column whole, and no option makes it leave out a value.
    """
    if batch.nbytes <= most_bytes:
        return {}
    columns = [column for column in batch.columns if pa.types.is_large_string(column.type) or pa.types.is_string(column.type)]
    lengths = np.zeros(len(batch), np.int64)
    for column in columns:
        lengths += pc.fill_null(pc.binary_length(column), 0).to_numpy()
    found = {}
    for i in np.flatnonzero(lengths > most_bytes).tolist():
        digest = hashlib.sha256()
        for column in columns:
            value = column[i].as_buffer()
            if value is not None:
                digest.update(value)
        found[i] = TooLarge(bytes=int(lengths[i]), sha256=digest.hexdigest())
    return found


def _reasons(batch: pa.RecordBatch) -> dict[int, str]:
    """Row within the batch -> why it is no document."""
    found: dict[int, str] = {}
    for name in ("text", "id"):
        problem = _column_problem(batch.schema, name)
        if problem is not None:
            found.update(dict.fromkeys(range(len(batch)), problem))
            continue
        column = batch.column(name)
        nulls = np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))
        found.update(dict.fromkeys(nulls.tolist(), f"`{name}` is null"))
        found.update(dict.fromkeys(_invalid_utf8(column), f"invalid UTF-8 in `{name}`"))
    return found


def _column_problem(schema: pa.Schema, name: str) -> str | None:
    if name not in schema.names:
        return f"no column `{name}`; columns: {', '.join(schema.names[:12]) or 'none'}"
    kind = schema.field(name).type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return None
    return f"column `{name}` must be of strings, is {kind}"


def _invalid_utf8(column: pa.Array) -> list[int]:
    # Parquet readers take it on trust that string columns hold UTF-8.
    raw = _strings(column).cast(pa.large_binary())
    try:
        raw.cast(pa.large_string())
        return []
    except pa.ArrowInvalid:
        return [i for i, value in enumerate(raw.to_pylist()) if value is not None and not _is_utf8(value)]


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _strings(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.large_string())


def batch_of(path: str, rows: pa.RecordBatch, first_row: int, good: np.ndarray | None = None, *, records: bool) -> Batch:
    """The rows that are `good` as documents, the first being row `first_row`; none of them without `good`."""
    numbers = number_column(np.arange(first_row, first_row + len(rows)))
    if good is None or not good.any():
        nothing = pa.array([], pa.large_string())
        return Batch(shard=path, id=nothing, text=nothing, record=rows.to_struct_array().slice(0, 0), line=numbers.slice(0, 0))
    if not good.all():
        mask = pa.array(good)
        rows, numbers = rows.filter(mask), pc.filter(numbers, mask)
    return Batch(
        shard=path,
        id=_strings(rows.column("id")),
        text=_strings(rows.column("text")),
        record=rows.to_struct_array() if records else pa.nulls(len(rows)),
        line=numbers,
    )
