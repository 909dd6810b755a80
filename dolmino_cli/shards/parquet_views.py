"""Columns of `string_view` and `binary_view`, which Arrow can read and not filter, as `large_string` and `large_binary`."""

from __future__ import annotations

import pyarrow as pa


def without_views(rows: pa.RecordBatch) -> pa.RecordBatch:
    """`rows` with the same values in columns that can be filtered, at any depth; itself where all can be."""
    fields = [_field(field) for field in rows.schema]
    return rows if fields == list(rows.schema) else rows.cast(pa.schema(fields, rows.schema.metadata))


def _field(field: pa.Field) -> pa.Field:
    return field.with_type(_type(field.type))


def _type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary_view(kind):
        return pa.large_binary()
    if pa.types.is_struct(kind):
        return pa.struct([_field(field) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(_field(kind.key_field), _field(kind.item_field), kind.keys_sorted)
    if pa.types.is_list(kind):
        return pa.list_(_field(kind.value_field))
    if pa.types.is_large_list(kind):
        return pa.large_list(_field(kind.value_field))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_field(kind.value_field), kind.list_size)
    return kind
