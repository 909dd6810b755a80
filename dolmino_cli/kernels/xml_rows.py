"""Rows of a Stack Exchange dump: one `<row name="value" .../>` a line, read without a Python object per row or value.

`scan_rows` takes only what it can vouch for: a line is a row when it is exactly one empty element `row` with distinct,
double-quoted attributes and well-formed references. Everything else is left to a real XML parser, so that what this
kernel says of a row is what an XML parser would say (XML 1.0, fifth edition). That the bytes are UTF-8 is the caller's to check.
"""

from __future__ import annotations

import numba
import numpy as np

from dolmino_cli.kernels.unicode import encode

MISSING = np.iinfo(np.int64).min
"""The integer of an attribute that a row does not have."""

ROW, BLANK, OTHER = 0, 1, 2
"""What a line is: a row that was read, nothing but white space, anything else."""

# As plain numbers: a compiled kernel takes globals in as constants.
_MISSING = int(MISSING)
_TAB, _NEWLINE, _RETURN, _SPACE, _QUOTE, _HASH, _AND = 9, 10, 13, 32, 34, 35, 38
_SLASH, _SEMICOLON, _LESS, _EQUALS, _GREATER = 47, 59, 60, 61, 62
_X, _PLUS, _MINUS = 120, 43, 45
_MOST_ATTRIBUTES = 64
_MOST_DIGITS = 18  # what fits an int64 whatever the digits
_NAME_BYTES = 24


def name_table(names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Attribute names as `scan_rows` takes them: (their bytes, uint8[names, 24]; their lengths, int64)."""
    table = np.zeros((len(names), _NAME_BYTES), np.uint8)
    for row, name in zip(table, names, strict=True):
        row[: len(name)] = np.frombuffer(name.encode("ascii"), np.uint8)
    return table, np.array([len(name) for name in names], np.int64)


@numba.njit(inline="always")
def _reference(data: np.ndarray, at: int, end: int) -> tuple[int, int]:
    """The code point of the reference that begins with the & at `at`, and where it ends; (-1, at) when it is none."""
    code, i = -1, at + 1
    if i < end and data[i] == _HASH:
        i += 1
        base = 10
        if i < end and data[i] == _X:
            base = 16
            i += 1
        first = i
        value = 0
        while i < end and data[i] != _SEMICOLON:
            digit = int(data[i]) - 48
            if base == 16 and digit > 9:
                digit = (digit | 32) - 39  # a and A are 10
                if digit < 10:
                    return -1, at
            if digit < 0 or digit >= base or value > 0x10FFFF:
                return -1, at
            value = value * base + digit
            i += 1
        is_character = (
            value == 9 or value == 10 or value == 13 or 0x20 <= value <= 0xD7FF or 0xE000 <= value <= 0xFFFD
        ) or 0x10000 <= value <= 0x10FFFF
        if i < end and i > first and is_character:
            code = value
    elif i + 2 < end and data[i + 1] == 116 and data[i + 2] == _SEMICOLON:  # lt; gt;
        if data[i] == 108:
            code = _LESS
        elif data[i] == 103:
            code = _GREATER
        i += 2
    elif i + 3 < end and data[i] == 97 and data[i + 1] == 109 and data[i + 2] == 112 and data[i + 3] == _SEMICOLON:
        code = _AND
        i += 3
    elif i + 4 < end and data[i + 4] == _SEMICOLON:
        if data[i] == 113 and data[i + 1] == 117 and data[i + 2] == 111 and data[i + 3] == 116:
            code = _QUOTE
        elif data[i] == 97 and data[i + 1] == 112 and data[i + 2] == 111 and data[i + 3] == 115:
            code = 39
        i += 4
    if code < 0:
        return -1, at
    return code, i + 1


@numba.njit(inline="always")
def _value_end(data: np.ndarray, at: int, end: int) -> int:
    """Where the quote stands that ends the value beginning at `at`; -1 when the value is not plainly well formed."""
    i = at
    while i < end:
        byte = data[i]
        if byte == _QUOTE:
            return i
        if byte == _AND:
            code, after = _reference(data, i, end)
            if code < 0:
                return -1
            i = after
            continue
        # A literal tab or line end would become a space; U+FFFE and U+FFFF (EF BF BE, EF BF BF) are no characters.
        if byte < _SPACE or byte == _LESS:
            return -1
        if byte == 0xEF and i + 2 < end and data[i + 1] == 0xBF and data[i + 2] >= 0xBE:
            return -1
        i += 1
    return -1


@numba.njit(inline="always")
def _integer(data: np.ndarray, at: int, end: int) -> tuple[int, bool]:
    """The decimal integer that is all of data[at:end], and whether it is one."""
    i = at
    if i < end and (data[i] == _MINUS or data[i] == _PLUS):
        i += 1
    if i == end or end - i > _MOST_DIGITS:
        return 0, False
    value = 0
    while i < end:
        digit = int(data[i]) - 48
        if digit < 0 or digit > 9:
            return 0, False
        value = value * 10 + digit
        i += 1
    return (-value if data[at] == _MINUS else value), True


@numba.njit(inline="always")
def _name_end(data: np.ndarray, at: int, end: int) -> tuple[int, np.uint64]:
    """Where the ASCII letters that begin at `at` end, and a hash of them (FNV-1a) to tell names apart."""
    i = at
    mixed = np.uint64(0xCBF29CE484222325)
    while i < end and 97 <= data[i] | 32 <= 122:
        mixed = (mixed ^ np.uint64(data[i])) * np.uint64(0x100000001B3)
        i += 1
    return i, mixed


@numba.njit(inline="always")
def _known(data: np.ndarray, at: int, length: int, names: np.ndarray, lengths: np.ndarray) -> int:
    """The place of the name data[at:at + length] among `names`, -1 when it is not there."""
    for place in range(len(lengths)):
        if lengths[place] == length:
            same = True
            for i in range(length):
                if names[place, i] != data[at + i]:
                    same = False
                    break
            if same:
                return place
    return -1


@numba.njit(inline="always")
def _scan_row(
    data: np.ndarray,
    at: int,
    end: int,
    names: np.ndarray,
    lengths: np.ndarray,
    seen: np.ndarray,
    integers: np.ndarray,
    spans: np.ndarray,
) -> bool:
    """Fill one row's `integers` and `spans` from the line data[at:end], which begins and ends with no white space."""
    if end - at < 6 or data[at] != _LESS or data[at + 1] != 114 or data[at + 2] != 111 or data[at + 3] != 119:
        return False
    i = at + 4
    last = end - 2
    if data[last] != _SLASH or data[last + 1] != _GREATER:
        return False
    count = 0
    while True:
        before = i
        while i < last and (data[i] == _SPACE or data[i] == _TAB):
            i += 1
        if i == last:
            return True
        start = i
        i, mixed = _name_end(data, i, last)
        length = i - start
        if before == start or length == 0 or i + 1 >= last or data[i] != _EQUALS or data[i + 1] != _QUOTE:
            return False
        if count == _MOST_ATTRIBUTES:
            return False
        for other in range(count):
            if seen[other] == mixed:  # a name given twice is no XML
                return False
        seen[count] = mixed
        count += 1
        value = i + 2
        close = _value_end(data, value, last)
        if close < 0:
            return False
        i = close + 1
        place = _known(data, start, length, names, lengths)
        if place < 0:
            continue
        if place < len(integers):
            number, whole = _integer(data, value, close)
            if not whole:
                return False
            integers[place] = number
        else:
            spans[place - len(integers), 0] = value
            spans[place - len(integers), 1] = close


@numba.njit(
    "void(u1[::1], i8[::1], i8[::1], Array(u1, 2, 'C', readonly=True), Array(i8, 1, 'C', readonly=True),"
    " i8[:, ::1], i8[:, :, ::1], u1[::1])",
    cache=True,
    nogil=True,
)
def scan_rows(
    data: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    names: np.ndarray,
    lengths: np.ndarray,
    integers: np.ndarray,
    spans: np.ndarray,
    kinds: np.ndarray,
) -> None:
    """Read the lines data[starts[i]:ends[i]], none of which holds a line feed.

    `names` (from `name_table`) are first those of the integer attributes, then those of the text attributes. Into
    `integers` (int64[lines, integer names]) go values, MISSING where there is none; into `spans` (int64[lines, text names, 2])
    where the values stand in `data`, still with their references, 0 and 0 where there is none; into `kinds` ROW, BLANK or
    OTHER. A line that is OTHER may have left anything in its integers and spans.
    """
    seen = np.empty(_MOST_ATTRIBUTES, np.uint64)
    for line in range(len(starts)):
        at, end = starts[line], ends[line]
        while at < end and (data[at] == _SPACE or data[at] == _TAB or data[at] == _RETURN):
            at += 1
        while end > at and (data[end - 1] == _SPACE or data[end - 1] == _TAB or data[end - 1] == _RETURN):
            end -= 1
        integers[line] = _MISSING
        spans[line] = 0
        if at == end:
            kinds[line] = BLANK
        elif _scan_row(data, at, end, names, lengths, seen, integers[line], spans[line]):
            kinds[line] = ROW
        else:
            kinds[line] = OTHER


@numba.njit("void(u1[::1], i8[:, ::1], u1[::1], i8[::1])", cache=True, nogil=True)
def decode_values(data: np.ndarray, spans: np.ndarray, out: np.ndarray, offsets: np.ndarray) -> None:
    """The values at `spans` (int64[values, 2], as `scan_rows` found them) with their references replaced, as UTF-8.

    Value i becomes out[offsets[i]:offsets[i + 1]]. `out` must be as long as the values are now: no reference is shorter
    than what it stands for.
    """
    position = 0
    for value in range(len(spans)):
        offsets[value] = position
        i, end = spans[value, 0], spans[value, 1]
        while i < end:
            byte = data[i]
            if byte == _AND:
                code, i = _reference(data, i, end)
                position = encode(code, out, position)
            else:
                out[position] = byte
                position += 1
                i += 1
    offsets[len(spans)] = position


@numba.njit("void(u1[::1], i8[::1], i8[::1], u1[::1])", cache=True, nogil=True)
def copy_lines(data: np.ndarray, starts: np.ndarray, ends: np.ndarray, out: np.ndarray) -> None:
    """Write the lines data[starts[i]:ends[i]] into `out` one after another, each with a line feed."""
    position = 0
    for line in range(len(starts)):
        length = ends[line] - starts[line]
        out[position : position + length] = data[starts[line] : ends[line]]
        out[position + length] = _NEWLINE
        position += length + 1
