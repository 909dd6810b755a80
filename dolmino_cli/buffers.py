"""Arrow columns as flat arrays, for whatever runs over their bytes, and back."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def text_buffers(text: pa.LargeStringArray) -> tuple[np.ndarray, np.ndarray]:
    """`text` as (UTF-8 bytes, uint8; offsets, int64, one more than there are documents), without copying.

    Document i is `data[offsets[i]:offsets[i + 1]]`. Both are read-only views that keep the column alive. Nulls are not allowed.
    """
    assert pa.types.is_large_string(text.type), f"a text column is large_string, not {text.type}"
    assert text.null_count == 0, "a null has no text to measure"
    if len(text) == 0:
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    _, offset_buffer, data_buffer = text.buffers()
    offsets = np.frombuffer(offset_buffer, np.int64)[text.offset : text.offset + len(text) + 1]
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None else np.empty(0, np.uint8)
    return data, offsets


def text_column(data: np.ndarray, offsets: np.ndarray) -> pa.LargeStringArray:
    """The inverse: a column whose document i is `data[offsets[i]:offsets[i + 1]]`, without copying."""
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))


def number_column(numbers: np.ndarray) -> pa.Int64Array:
    """A column of int64 without nulls, without copying. `pa.array` imports all of numpy.ma first, only to know a masked array."""
    numbers = np.ascontiguousarray(numbers, np.int64)
    return pa.Int64Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])
