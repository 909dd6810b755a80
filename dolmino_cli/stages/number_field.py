"""Numbers that documents carry, by dotted path."""

from __future__ import annotations

import math
import re
from typing import Any

import pyarrow as pa

from dolmino_cli.documents import Batch
from dolmino_cli.stages.document_field import refuse, values_at

_NUMERIC_TEXT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\Z")
_PLAIN = frozenset({int, float, type(None)})


def numbers(batch: Batch, path: str, *, text_allowed: bool) -> pa.Array:
    """The number at `path` in every document (see `values_at`), as float64; null where it is missing or null.

    With `text_allowed` numeric text counts as a number, as jq's `tonumber` has it. Raises DataError naming the document for
    anything else, booleans included.
    """
    values = values_at(batch, path)
    if isinstance(values, pa.Array):
        if pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_null(values.type):
            return values.cast(pa.float64(), safe=False)
        values = values.to_pylist()
    return _checked(values, batch, path, text_allowed)


def _checked(values: list[Any], batch: Batch, path: str, text_allowed: bool) -> pa.Array:
    try:
        if _PLAIN.issuperset(map(type, values)) and math.inf not in values and -math.inf not in values:
            return pa.array(values, pa.float64())
    except (OverflowError, pa.ArrowInvalid):
        pass  # An integer that float64 cannot hold exactly; `_number` rounds it, or says which is too large.
    return pa.array([_number(value, row, batch, path, text_allowed) for row, value in enumerate(values)], pa.float64())


def _number(value: Any, row: int, batch: Batch, path: str, text_allowed: bool) -> float | None:
    if value is None:
        return None
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    if numeric or (text_allowed and isinstance(value, str) and _NUMERIC_TEXT.match(value)):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        return number if math.isfinite(number) else refuse(f"{path!r} is too large for a score, which is a float64", row, batch)
    return refuse(f"{path!r} is {str(value)[:60]!r}; expected a number{' or numeric text' if text_allowed else ''}", row, batch)
