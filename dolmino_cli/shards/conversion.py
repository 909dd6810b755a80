"""Records between formats: a JSON line as Parquet columns, a Parquet row as a JSON line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pyarrow as pa

from dolmino_cli.documents import Batch
from dolmino_cli.errors import DataError
from dolmino_cli.shards.plain_values import plain_values

# How our own columns are told from others' when they come back: written on the field, kept by Parquet.
_MARK = b"dolmino"
_JSON_VALUE, _JSON_FIELDS = {_MARK: b"json value"}, {_MARK: b"json fields"}

_STRINGS = ("id", "text", "source", "added", "created")

DOCUMENT_FIELDS: list[pa.Field] = [
    *(pa.field(name, pa.large_string()) for name in _STRINGS),
    pa.field("metadata", pa.large_string(), metadata=_JSON_VALUE),
    pa.field("extra", pa.large_string(), metadata=_JSON_FIELDS),
]
"""The columns that JSON documents get in Parquet. `metadata` is JSON text; `extra` is a JSON object of all further fields."""

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRING = msgspec.json.Decoder(str)
_ENCODER = msgspec.json.Encoder()


def to_columns(record: pa.LargeBinaryArray) -> pa.StructArray:
    """JSON documents as rows of DOCUMENT_FIELDS. JSON null becomes null; values inside `metadata` and `extra` keep their bytes.

    A `source`, `added` or `created` that is neither a string nor null goes to `extra`, as does every other field.
    """
    columns: list[list[str | None]] = [[] for _ in DOCUMENT_FIELDS]
    for line in record.to_pylist():
        fields = _FIELDS.decode(line)
        for name, column in zip(_STRINGS, columns, strict=False):
            value = bytes(fields.get(name, b"null"))
            if value == b"null":
                fields.pop(name, None)
            column.append(_STRING.decode(fields.pop(name)) if value[:1] == b'"' else None)
        metadata = bytes(fields.pop("metadata", b"null"))
        columns[-2].append(None if metadata == b"null" else metadata.decode())
        columns[-1].append(_ENCODER.encode(fields).decode() if fields else None)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, DOCUMENT_FIELDS, strict=True)]
    return pa.StructArray.from_arrays(arrays, fields=DOCUMENT_FIELDS)


def to_json_lines(record: pa.StructArray) -> bytes:
    """Rows as JSON objects, each with \\n. Columns that are null are left out; bytes are base64, NaN null.

    Timestamps, dates, times and durations are ISO 8601 text with all their digits (`plain_values`). Columns made by `to_columns`
    become again what they were. Raises UnicodeDecodeError and ValueError for values that JSON cannot hold (`unwritable`).
    """
    marks = {field.name: (field.metadata or {}).get(_MARK) for field in record.type}
    values = [name for name, mark in marks.items() if mark == _JSON_VALUE[_MARK]]
    extras = [name for name, mark in marks.items() if mark == _JSON_FIELDS[_MARK]]
    return b"".join(_json_lines(plain_values(record), values, extras))


def unwritable(record: pa.StructArray) -> str | None:
    """Why JSON cannot hold the one row of `record`, by its column; None where it can."""
    for field, column in zip(record.type, record.flatten(), strict=True):
        try:
            plain_values(column)
        except UnicodeDecodeError:
            return f"invalid UTF-8 in `{field.name}`"
        except ValueError as error:
            return f"no JSON for `{field.name}`: {error}"
    try:
        to_json_lines(record)
    except ValueError as error:
        return f"no JSON for the row: {error}"
    return None


def kept_bytes(record: pa.StructArray) -> bytes:
    """The one row of `record` as JSON without a line end; where none can hold it, the bytes of its strings, joined by spaces.

    `text` and `id` come first.
    """
    try:
        return to_json_lines(record).removesuffix(b"\n")
    except ValueError:
        columns = dict(zip((field.name for field in record.type), record.flatten(), strict=True))
        names = [name for name in ("text", "id") if name in columns]
        strings = [_bytes(columns[name]) for name in (*names, *(name for name in columns if name not in names))]
        return b" ".join(value for value in strings if value is not None)


def _bytes(column: pa.Array) -> bytes | None:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string_view(column.type):
        column = column.cast(pa.large_string())
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return None
    value: bytes | None = column.cast(pa.large_binary())[0].as_py()
    return value


def _json_lines(rows: Iterable[dict[str, Any]], values: list[str], extras: list[str]) -> Iterable[bytes]:
    for row in rows:
        fields = {name: value for name, value in row.items() if value is not None}
        further = [fields.pop(name).encode() for name in extras if name in fields]
        for name in values:
            if name in fields:
                fields[name] = msgspec.Raw(fields[name].encode())
        line = _ENCODER.encode(fields)
        for more in further:
            line = line[:-1] + (b"," if fields else b"") + more[1:]
        yield line + b"\n"


def rewritten(batch: Batch, id: pa.Array, text: pa.Array, metadata: Sequence[Mapping[str, Any] | None]) -> Batch:
    """`batch` with other ids and texts, one per document, and entries added to each `metadata`; records become JSON lines.

    Every further field of a document keeps its bytes. A `metadata` that is no object goes to the entry `metadata` of a new one.
    Raises DataError for a Parquet row that JSON cannot hold.
    """
    lines = _lines_of_rows(batch) if pa.types.is_struct(batch.record.type) else batch.record.to_pylist()
    records = []
    for line, one_id, one_text, more in zip(lines, id.to_pylist(), text.to_pylist(), metadata, strict=True):
        fields: dict[str, Any] = _FIELDS.decode(line)
        fields |= {"id": one_id, "text": one_text}
        if more:
            fields["metadata"] = _with_entries(bytes(fields.get("metadata", b"null")), more)
        records.append(_ENCODER.encode(fields))
    return replace(batch, id=id, text=text, record=pa.array(records, pa.large_binary()), memo={})


def _lines_of_rows(batch: Batch) -> list[bytes]:
    try:
        return to_json_lines(batch.record).split(b"\n")[:-1]
    except ValueError:
        for row, line in enumerate(batch.line.to_pylist()):
            why = unwritable(batch.record.slice(row, 1))
            if why:
                raise DataError(why, path=batch.shard, line=line) from None
        raise


def _with_entries(metadata: bytes, more: Mapping[str, Any]) -> dict[str, Any]:
    if metadata == b"null":
        return dict(more)
    if metadata[:1] != b"{":
        return {"metadata": msgspec.Raw(metadata), **more}
    return {**_FIELDS.decode(metadata), **more}
