"""Code points in UTF-8 bytes: decoding, white space, word characters, trimming. The definitions are Python's and Rust's own.

Everything is `inline="always"`: these are the inner steps of other kernels, not calls.
"""

from __future__ import annotations

from functools import lru_cache

import numba
import numpy as np


@lru_cache(maxsize=1)
def word_characters() -> np.ndarray:
    r"""For every code point, whether Python's `re` counts it as `\w` (alphanumeric or underscore); uint8, 0x110000 of them.

    The answer is this Python's Unicode version's (`unicodedata.unidata_version`). Takes about 0.1 s, once per process.
    """
    table = np.fromiter(map(str.isalnum, map(chr, range(0x110000))), np.uint8, 0x110000)
    table[ord("_")] = 1
    table.flags.writeable = False
    return table


@numba.njit(inline="always")
def decode(data: np.ndarray, at: int, end: int) -> tuple[np.int64, int]:
    """The code point that begins at `at`, and its length in bytes. Bytes that are no UTF-8 count as themselves, one by one."""
    first = np.int64(data[at])
    if first < 0xC0:
        return first, 1
    if first < 0xE0 and at + 1 < end:
        return (first & 0x1F) << 6 | np.int64(data[at + 1]) & 0x3F, 2
    if first < 0xF0 and at + 2 < end:
        return (first & 0x0F) << 12 | (np.int64(data[at + 1]) & 0x3F) << 6 | np.int64(data[at + 2]) & 0x3F, 3
    if first < 0xF8 and at + 3 < end:
        high = (first & 0x07) << 18 | (np.int64(data[at + 1]) & 0x3F) << 12
        return high | (np.int64(data[at + 2]) & 0x3F) << 6 | np.int64(data[at + 3]) & 0x3F, 4
    return first, 1


@numba.njit(inline="always")
def is_white_space(code: np.int64) -> bool:
    """Unicode's White_Space property: what Rust's `char::is_whitespace` says."""
    if code < 0x80:
        return bool(code == 0x20 or 0x09 <= code <= 0x0D)
    return bool(
        code == 0x85
        or code == 0xA0
        or code == 0x1680
        or 0x2000 <= code <= 0x200A
        or code == 0x2028
        or code == 0x2029
        or code == 0x202F
        or code == 0x205F
        or code == 0x3000
    )


@numba.njit(inline="always")
def is_python_space(code: np.int64) -> bool:
    r"""What Python's `str.isspace`, `strip`, `split` and `\s` mean: White_Space and the four separators 0x1C-0x1F."""
    return is_white_space(code) or bool(0x1C <= code <= 0x1F)


@numba.njit(inline="always")
def encode(code: int, out: np.ndarray, at: int) -> int:
    """Write a code point as UTF-8; returns where it ends."""
    if code < 0x80:
        out[at] = code
        return at + 1
    if code < 0x800:
        out[at] = 0xC0 | code >> 6
        out[at + 1] = 0x80 | code & 0x3F
        return at + 2
    if code < 0x10000:
        out[at] = 0xE0 | code >> 12
        out[at + 1] = 0x80 | code >> 6 & 0x3F
        out[at + 2] = 0x80 | code & 0x3F
        return at + 3
    out[at] = 0xF0 | code >> 18
    out[at + 1] = 0x80 | code >> 12 & 0x3F
    out[at + 2] = 0x80 | code >> 6 & 0x3F
    out[at + 3] = 0x80 | code & 0x3F
    return at + 4


@numba.njit(inline="always")
def trim(data: np.ndarray, start: int, end: int, separators_too: bool) -> tuple[int, int]:
    """Start and end without white space at both ends; with `separators_too` as Python's `strip`, without as Rust's `trim`."""
    while start < end:
        code, size = decode(data, start, end)
        if not (is_white_space(code) or (separators_too and 0x1C <= code <= 0x1F)):
            break
        start += size
    while end > start:
        last = end - 1
        while last > start and data[last] & 0xC0 == 0x80:
            last -= 1
        code, size = decode(data, last, end)
        if not (is_white_space(code) or (separators_too and 0x1C <= code <= 0x1F)):
            break
        end = last
    return start, end
