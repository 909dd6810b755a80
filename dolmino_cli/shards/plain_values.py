"""Arrow columns -> values that JSON has. Times of every unit and size become text, where Python's own types would fail."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Callable
from functools import lru_cache, partial
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_DECIMALS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_DAY_SECONDS = 86_400


def plain_values(column: pa.Array) -> list[Any]:
    """As `column.to_pylist()`, but every timestamp, date, time and duration is ISO 8601 text with all its digits.

    A zoned timestamp has its zone's offset (`Z` for UTC), or, of a zone that is not known here or beyond the years 1 to 9999,
    UTC and the zone's name: `2024-01-02T03:04:05Z[Mars/Phobos]`. Years beyond 9999 have a sign. A duration is days and
    seconds: `-P1DT0.5S`. Raises UnicodeDecodeError for strings that are no UTF-8, ValueError for fields of one name.
    """
    kind = column.type
    if isinstance(kind, pa.ExtensionType):
        return plain_values(column.storage)
    if pa.types.is_dictionary(kind):
        return plain_values(column.dictionary_decode())
    if pa.types.is_struct(kind):
        return _objects(column)
    if pa.types.is_map(kind):
        pairs = pa.list_(pa.struct([pa.field("key", kind.key_type), pa.field("value", kind.item_type)]))
        return [one and [tuple(pair.values()) for pair in one] for one in _lists(column.cast(pairs))]
    if _is_list(kind):
        return _lists(column)
    text = _text_of(kind)
    if text is None:
        values: list[Any] = column.to_pylist()
        return values
    width = pa.int32() if kind.bit_width == 32 else pa.int64()
    return [None if number is None else text(number) for number in column.view(width).to_pylist()]


def _objects(column: pa.StructArray) -> list[Any]:
    names = [field.name for field in column.type]
    if len({*names}) < len(names):
        raise ValueError(f"fields of one name: {', '.join(names)}")
    if not names:
        return column.to_pylist()  # type: ignore[no-any-return]
    rows, valid = zip(*map(plain_values, column.flatten()), strict=True), column.is_valid().to_pylist()
    return [dict(zip(names, row, strict=True)) if there else None for row, there in zip(rows, valid, strict=True)]


def _lists(column: pa.Array) -> list[Any]:
    values = iter(plain_values(column.flatten()))
    return [None if length is None else list(islice(values, length)) for length in pc.list_value_length(column).to_pylist()]


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _text_of(kind: pa.DataType) -> Callable[[int], str] | None:
    """How a number of this type is written; None for types that are no times."""
    if pa.types.is_timestamp(kind):
        return partial(_timestamp, decimals=_DECIMALS[kind.unit], zone=kind.tz)
    if pa.types.is_time(kind):
        return partial(_time, decimals=_DECIMALS[kind.unit])
    if pa.types.is_duration(kind):
        return partial(_duration, decimals=_DECIMALS[kind.unit])
    if pa.types.is_date32(kind):
        return _date
    if pa.types.is_date64(kind):
        return lambda milliseconds: _date(milliseconds // (1000 * _DAY_SECONDS))
    return None


def _timestamp(number: int, decimals: int, zone: str | None) -> str:
    seconds, rest = divmod(number, 10**decimals)
    fraction = _fraction(rest, decimals)
    if zone is not None:
        try:
            local = datetime.datetime.fromtimestamp(seconds, _zone(zone)).isoformat()
            return f"{local[:19]}{fraction}{local[19:].replace('+00:00', 'Z')}"
        except (ValueError, OverflowError, OSError, zoneinfo.ZoneInfoNotFoundError):
            fraction += f"Z[{zone}]"
    days, second = divmod(seconds, _DAY_SECONDS)
    return f"{_date(days)}T{_clock(second)}{fraction}"


@lru_cache(maxsize=64)
def _zone(name: str) -> datetime.tzinfo:
    """Raises ValueError or ZoneInfoNotFoundError for a name that is no zone here."""
    if name[:1] in ("+", "-"):
        return datetime.datetime.strptime(name, "%z").tzinfo or datetime.UTC
    return datetime.UTC if name == "UTC" else zoneinfo.ZoneInfo(name)


def _date(days: int) -> str:
    year, month, day = str(np.datetime64(days, "D")).rsplit("-", 2)
    signed = f"+{year}" if int(year) > 9999 else f"-{-int(year):04}" if int(year) < 0 else year
    return f"{signed}-{month}-{day}"


def _time(number: int, decimals: int) -> str:
    seconds, rest = divmod(number, 10**decimals)
    return _clock(seconds) + _fraction(rest, decimals)


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _fraction(rest: int, decimals: int) -> str:
    """Six digits, as Python writes it, or nine where there is more."""
    digits = f"{rest:0{decimals}}".ljust(6, "0") if rest else ""
    return f".{digits[:6] if digits[6:] in ('', '000') else digits}" if digits else ""


def _duration(number: int, decimals: int) -> str:
    seconds, rest = divmod(abs(number), 10**decimals)
    days, second = divmod(seconds, _DAY_SECONDS)
    fraction = f".{rest:0{decimals}}".rstrip("0") if rest else ""
    time = f"T{second}{fraction}S" if second or rest or not days else ""
    return f"{'-' if number < 0 else ''}P{f'{days}D' if days else ''}{time}"
