"""Numbers that documents carry, by dotted path, out of JSON lines or Parquet rows; only that path is decoded."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from dolmino_cli.documents import Batch
from dolmino_cli.errors import DataError


def numbers(batch: Batch, path: str, *, text_allowed: bool) -> pa.Array:
    """The number at `path` in every document, as float64; null where it is missing or null.

    With `text_allowed` numeric text counts as a number, as jq's `tonumber` has it. Raises DataError naming the document
    for anything else.
    """
    if pa.types.is_struct(batch.record.type):
        return _from_rows(batch, tuple(path.split(".")), path, text_allowed)
    values = _decode(tuple(path.split(".")), batch)
    return pa.array([_number(value, row, batch, path, text_allowed) for row, value in enumerate(values)], pa.float64())


@lru_cache(maxsize=64)
def _decoder(path: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    """A decoder that goes down `path` and skips everything beside it."""
    kind: Any = Any
    for name in reversed(path):
        # An optional member, so that a document without it is no error; a member of another kind is found by `_step`.
        kind = msgspec.defstruct("Level", [("value", kind | None if kind is not Any else Any, None)], rename={"value": name})
    return msgspec.json.Decoder(kind)


def _decode(path: tuple[str, ...], batch: Batch) -> list[Any]:
    decode = _decoder(path).decode
    values = []
    for record in batch.record:
        line = record.as_buffer()
        try:
            found = decode(line)
            for _ in path:
                found = getattr(found, "value", None)
        except msgspec.ValidationError:
            found = _step(msgspec.json.decode(line), path)
        values.append(found)
    return values


def _step(value: Any, path: tuple[str, ...]) -> Any:
    """Down `path` through plain dicts; None where a level is not there or is no object."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _from_rows(batch: Batch, path: tuple[str, ...], dotted: str, text_allowed: bool) -> pa.Array:
    column: pa.Array = batch.record
    for depth, name in enumerate(path):
        if pa.types.is_struct(column.type):
            if name not in [field.name for field in column.type]:
                return pa.nulls(len(batch), pa.float64())
            column = pc.struct_field(column, name)
        elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            return _from_json_column(column, path[depth:], batch, dotted, text_allowed)
        else:
            return pa.nulls(len(batch), pa.float64())
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return column.cast(pa.float64())
    values = column.to_pylist()
    return pa.array([_number(value, row, batch, dotted, text_allowed) for row, value in enumerate(values)], pa.float64())


def _from_json_column(column: pa.Array, path: tuple[str, ...], batch: Batch, dotted: str, text_allowed: bool) -> pa.Array:
    """Parquet often has `metadata` as JSON text."""
    numbers: list[float | None] = []
    for row, text in enumerate(column.to_pylist()):
        try:
            value = None if text is None else _step(msgspec.json.decode(text), path)
        except msgspec.DecodeError as error:
            _refuse(f"the text on the way to {dotted!r} is no JSON ({error})", row, batch)
        numbers.append(_number(value, row, batch, dotted, text_allowed))
    return pa.array(numbers, pa.float64())


def _number(value: Any, row: int, batch: Batch, path: str, text_allowed: bool) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if text_allowed and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    _refuse(f"{path!r} is {str(value)[:60]!r}; expected a number{' (or numeric text)' if text_allowed else ''}", row, batch)
    return None


def _refuse(problem: str, row: int, batch: Batch) -> None:
    raise DataError(f"document {batch.id[row].as_py()!r}: {problem}", path=batch.shard, line=batch.line[row].as_py())
