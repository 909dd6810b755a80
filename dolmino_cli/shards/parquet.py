"""Parquet -> batches: rows become struct records, a few at a time however large the row groups are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dolmino_cli.documents import Batch
from dolmino_cli.errors import DataError
from dolmino_cli.shards.conversion import kept_bytes, to_json_lines, unwritable
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.faults import OnError, Quarantined
from dolmino_cli.shards.rows import RowLayout, as_document
from dolmino_cli.shards.storage import is_remote, open_seekable

# A column chunk is fetched this much at a time instead of whole: row groups of 1 GB exist. S3 pays per request.
_PAGE_BUFFER_BYTES = {"local": 1 << 20, "remote": 8 << 20}
_MOST_ROWS = 1 << 16


def read(
    path: str, *, on_error: OnError, batch_bytes: int, records: bool = True, rows: Sequence[RowLayout] = ()
) -> Iterator[tuple[Batch, list[Quarantined]]]:
    """As `reading.read_batches`, of one Parquet file. Lines are row numbers, from 1.

    Documents made of a publisher's rows have JSON as their records, without the columns that are null.

    A damaged file ends, in quarantine, with one set-aside record of 0 bytes at the row that was reached; a file without
    proper `id` and `text` columns has all of its rows set aside (as JSON).
    """
    row = 1
    pieces = _rows(path, batch_bytes)
    while True:
        try:
            with storage_errors("read", path):
                batch = _next(pieces)
        except _Damaged as damage:
            if on_error == "fail":
                raise DataError(damage.reason, path=path, line=row if row > 1 else None) from None
            nothing = _batch(path, pa.RecordBatch.from_pydict({}), row, records=records)
            yield nothing, [Quarantined(line=row, reason=damage.reason, record=b"")]
            return
        if batch is None:
            return
        if rows and any(_column_problem(batch.schema, name) for name in ("id", "text")):
            made, quarantined = _from_rows(path, batch, row, rows)
            if quarantined and on_error == "fail":
                raise DataError(quarantined[0].reason, path=path, line=quarantined[0].line)
            yield made if records else replace(made, record=pa.nulls(len(made))), quarantined
            row += len(batch)
            continue
        reasons = _reasons(batch)
        faulty = {i: kept_bytes(batch.slice(i, 1).to_struct_array()) for i in sorted(reasons)}
        quarantined = [Quarantined(line=row + i, reason=reasons[i], record=record) for i, record in faulty.items()]
        if quarantined and on_error == "fail":
            raise DataError(quarantined[0].reason, path=path, line=quarantined[0].line)
        good = np.ones(len(batch), bool)
        good[list(reasons)] = False
        yield _batch(path, batch, row, good, records=records), quarantined
        row += len(batch)


def _from_rows(path: str, batch: pa.RecordBatch, first: int, layouts: Sequence[RowLayout]) -> tuple[Batch, list[Quarantined]]:
    found: list[tuple[int, bytes, tuple[bytes, str, str] | str]] = []
    for i in range(len(batch)):
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


class _Damaged(Exception):
    def __init__(self, error: Exception) -> None:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        self.reason = f"truncated or corrupt Parquet: {first_line}"
        super().__init__(self.reason)


def _next(rows: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
    try:
        return next(rows, None)
    except pa.ArrowException as error:
        raise _Damaged(error) from None
    except OSError as error:
        if error.errno is not None:
            raise  # the store failed, not the file
        raise _Damaged(error) from None


def _rows(path: str, batch_bytes: int) -> Iterator[pa.RecordBatch]:
    with ExitStack() as stack:
        buffer_bytes = _PAGE_BUFFER_BYTES["remote" if is_remote(path) else "local"]
        source = stack.enter_context(_open(path))
        # pre_buffer would fetch every column chunk of a row group whole, and make buffer_size mean nothing.
        file = stack.enter_context(pq.ParquetFile(source, buffer_size=buffer_bytes, pre_buffer=False))
        for group in range(file.num_row_groups):
            metadata = file.metadata.row_group(group)
            row_bytes = max(1, metadata.total_byte_size // max(1, metadata.num_rows))
            rows = min(max(1, batch_bytes // row_bytes), _MOST_ROWS)
            for batch in file.iter_batches(batch_size=rows, row_groups=[group], use_threads=False):
                # Dictionary pages make rows larger than the file says: cut what came out too large.
                pieces = min(len(batch), max(1, batch.nbytes // (2 * batch_bytes)))
                size = -(-len(batch) // max(1, pieces))
                yield from (batch.slice(start, size) for start in range(0, len(batch), max(1, size)))


def _open(path: str) -> Any:
    return open_seekable(path) if is_remote(path) else pa.OSFile(path)


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


def _batch(path: str, rows: pa.RecordBatch, first_row: int, good: np.ndarray | None = None, *, records: bool) -> Batch:
    numbers = pa.array(np.arange(first_row, first_row + len(rows)), pa.int64())
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
