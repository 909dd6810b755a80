r"""Words by the default word boundaries of Unicode (UAX #29), as Rust's `unicode-segmentation` and so dolma's n-grams cut them.

Two readings of a text's words, both without those that are white space only:

- as written: every segment between two boundaries, case and punctuation kept (dolma, src/wimbd/tokens.rs);
- normalised: of each segment its letters, marks and numbers in lower case; segments with none of them are left out. So
  `Don’t!` and `dont` are one word.

`classes` below is the table of `word_classes()`, `folded` that of `folded_characters()`.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

import numba
import numpy as np

from dolmino_cli.kernels.uncounted import uncounted
from dolmino_cli.kernels.unicode import decode, encode, is_white_space, word_characters

UNICODE_VERSION = "16.0"  # of word_break.txt

_OTHER, _CR, _LF, _NEWLINE, _EXTEND, _FORMAT, _ZWJ, _SPACE, _REGIONAL = range(9)
_LETTER, _HEBREW, _NUMERIC, _KATAKANA, _CONNECTOR, _MID_LETTER, _MID_NUM, _MID_BOTH, _SINGLE, _DOUBLE = range(9, 19)
_NAMES = """CR LF Newline Extend Format ZWJ WSegSpace Regional_Indicator ALetter Hebrew_Letter Numeric Katakana ExtendNumLet
MidLetter MidNum MidNumLet Single_Quote Double_Quote""".split()
_CLASS, _PICTOGRAPHIC, _ALPHANUMERIC = 31, 32, 64  # bits of an entry of the table of classes


@lru_cache(maxsize=1)
def word_classes() -> np.ndarray:
    """Per code point its Word_Break class (5 bits), whether it is Extended_Pictographic (32) and alphanumeric (64); uint8."""
    table = np.zeros(0x110000, np.uint8)
    name = ""
    for line in Path(__file__).with_name("word_break.txt").read_text(encoding="ascii").splitlines():
        if line.startswith("#"):
            continue
        words = line.split()
        name = name if line.startswith(" ") else words.pop(0)
        for text in words:
            first, _, last = text.partition("-")
            places = slice(int(first, 16), int(last or first, 16) + 1)
            table[places] |= _PICTOGRAPHIC if name == "Extended_Pictographic" else 1 + _NAMES.index(name)
    table |= _ALPHANUMERIC * word_characters()
    table[ord("_")] &= ~np.uint8(_ALPHANUMERIC)
    table.flags.writeable = False
    return table


@lru_cache(maxsize=1)
def folded_characters() -> np.ndarray:
    """Per code point its lower case if it is a letter, mark or number, else 0; uint32. By this Python's `unicodedata`.

    Only `İ` has a lower case of two code points; it becomes the first of them. Takes about 0.4 s, once per process.
    """
    table = np.zeros(0x110000, np.uint32)
    for code in range(0x110000):
        if unicodedata.category(chr(code))[0] in "LMN":
            table[code] = ord(chr(code).lower()[0])
    table.flags.writeable = False
    return table


@numba.njit(inline="always")
def _is_letter(kind: int) -> bool:
    return bool(kind in (_LETTER, _HEBREW))


@numba.njit(inline="always")
def _joins_letters(kind: int) -> bool:
    return bool(kind in (_MID_LETTER, _MID_BOTH, _SINGLE))


@numba.njit(inline="always")
def _joins_numbers(kind: int) -> bool:
    return bool(kind in (_MID_NUM, _MID_BOTH, _SINGLE))


@numba.njit(inline="always")
def _is_ignored(kind: int) -> bool:
    return bool(kind in (_EXTEND, _FORMAT, _ZWJ))


@uncounted
def _following(data: np.ndarray, at: int, end: int, classes: np.ndarray) -> int:
    """Class of the first character from `at` on that rule WB4 does not pass over; Other at the end."""
    while at < end:
        code, size = decode(data, at, end)
        kind = int(classes[code] & _CLASS)
        if not _is_ignored(kind):
            return kind
        at += size
    return _OTHER


@uncounted
def _joined(before: int, left: int, right: int, data: np.ndarray, after: int, end: int, classes: np.ndarray) -> bool:
    """Rules WB5 to WB13b: no boundary between `left` and `right`. `before` precedes `left`, `after` is where `right` ends."""
    if _is_letter(left):
        if _is_letter(right) or right in (_NUMERIC, _CONNECTOR) or (left == _HEBREW and right == _SINGLE):
            return True
        if _joins_letters(right):
            return bool(_is_letter(_following(data, after, end, classes)))
        return bool(left == _HEBREW and right == _DOUBLE and _following(data, after, end, classes) == _HEBREW)
    if left == _NUMERIC:
        if _is_letter(right) or right in (_NUMERIC, _CONNECTOR):
            return True
        return bool(_joins_numbers(right) and _following(data, after, end, classes) == _NUMERIC)
    if left == _KATAKANA:
        return right in (_KATAKANA, _CONNECTOR)
    if left == _CONNECTOR:
        return _is_letter(right) or right in (_NUMERIC, _KATAKANA, _CONNECTOR)
    if _is_letter(right):
        return (_joins_letters(left) and _is_letter(before)) or (left == _DOUBLE and before == _HEBREW and right == _HEBREW)
    return right == _NUMERIC and _joins_numbers(left) and before == _NUMERIC


@numba.njit(inline="always")
def _is_plain(byte: int) -> bool:
    """An ASCII letter, digit or underscore: any of them joins any other."""
    return bool(0x61 <= byte <= 0x7A or 0x41 <= byte <= 0x5A or 0x30 <= byte <= 0x39 or byte == 0x5F)


@numba.njit(inline="always")
def _parts(byte: int, following: int) -> bool:
    """Whether a word surely ends before the ASCII character `byte` that joins no letter or digit by itself."""
    between = byte == 0x27 or byte == 0x2C or byte == 0x2E or byte == 0x3A or byte == 0x3B
    return bool(not between or (following < 0x80 and not _is_plain(following)))


@uncounted
def _word_end(data: np.ndarray, at: int, end: int, classes: np.ndarray) -> int:
    """Where the segment that begins at `at` ends."""
    code, size = decode(data, at, end)
    left = classes[code] & _CLASS
    at += size
    if left == _CR:
        return at + 1 if at < end and data[at] == 0x0A else at
    if left in (_LF, _NEWLINE):
        return at
    before, nearest, regionals = _OTHER, left, int(left == _REGIONAL)  # `nearest`: before WB4 passes over anything
    while at < end:
        code, size = decode(data, at, end)
        entry = classes[code]
        right = entry & _CLASS
        if right in (_CR, _LF, _NEWLINE):
            return at
        if _is_ignored(right):  # WB4
            nearest = right
            at += size
            continue
        pictograph = nearest == _ZWJ and entry & _PICTOGRAPHIC != 0  # WB3c
        spaces = nearest == _SPACE and right == _SPACE  # WB3d
        flag = left == _REGIONAL and right == _REGIONAL and regionals % 2 == 1  # WB15, WB16
        if not (pictograph or spaces or flag or _joined(before, left, right, data, at + size, end, classes)):
            return at
        regionals = regionals + 1 if right == _REGIONAL else 0
        before, left, nearest = left, right, right
        at += size
    return at


@uncounted
def next_word(data: np.ndarray, at: int, end: int, classes: np.ndarray) -> tuple[int, int]:
    """(start, end) of the first segment from the boundary `at` on that is not white space only; (end, end) if there is none."""
    while at < end:
        first = data[at]
        if first == 0x0A:
            at += 1
            continue
        if first == 0x20:
            stop = at + 1
            while stop < end and data[stop] == 0x20:
                stop += 1
            if stop == end or data[stop] < 0x80:  # a mark after spaces would make them a word
                at = stop
                continue
        elif _is_plain(first):
            stop = at + 1
            while stop < end and _is_plain(data[stop]):
                stop += 1
            # Only ' . : , ; join ASCII letters or digits to more of them, and only between two; `"` is Hebrew's.
            if stop == end or (data[stop] < 0x80 and (stop + 1 == end or _parts(data[stop], data[stop + 1]))):
                return at, stop
        elif 0x20 < first < 0x7F and (at + 1 == end or data[at + 1] < 0x80):
            return at, at + 1
        stop = _word_end(data, at, end, classes)
        place = at
        while place < stop:
            code, size = decode(data, place, stop)
            if not is_white_space(code):
                return at, stop
            place += size
        at = stop
    return end, end


@uncounted
def fold_word(data: np.ndarray, at: int, end: int, folded: np.ndarray, out: np.ndarray) -> int:
    """Write the normalised word as UTF-8 to `out`, which has room for 2 x (end - at) bytes; how many bytes it has."""
    size_out = 0
    while at < end:
        code, size = decode(data, at, end)
        at += size
        code = folded[code]
        if code == 0:
            continue
        size_out = encode(code, out, size_out)
    return size_out


@numba.njit(inline="always")
def has_letter_or_number(data: np.ndarray, at: int, end: int, classes: np.ndarray) -> bool:
    """Whether any character of the word is alphanumeric."""
    found = False
    while at < end and not found:
        code, size = decode(data, at, end)
        found = classes[code] & _ALPHANUMERIC != 0
        at += size
    return found


@numba.njit(
    "i8[:, ::1](Array(u1, 1, 'C', readonly=True), Array(u1, 1, 'C', readonly=True))",
    cache=True,
    nogil=True,
)
def word_spans(data: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(start, end) in bytes of every word of one text as written, in order."""
    spans = np.empty((len(data), 2), np.int64)
    count = 0
    start, at = next_word(data, 0, len(data), classes)
    while start < at:
        spans[count, 0], spans[count, 1] = start, at
        count += 1
        start, at = next_word(data, at, len(data), classes)
    return spans[:count].copy()
