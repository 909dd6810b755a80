r"""Words of UTF-8 text: how many there are, and how often the two most frequent stand in it.

`word` below is the table of `unicode.word_characters()`: what Python's `re` matches as `\w`.
"""

from __future__ import annotations

import numba
import numpy as np

from dolmino_cli.kernels.uncounted import uncounted
from dolmino_cli.kernels.unicode import decode, is_python_space, trim

_TEXT = "Array(u1, 1, 'C', readonly=True), Array(i8, 1, 'C', readonly=True)"
_FNV_OFFSET, _FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3
_COUNT, _START, _LENGTH, _HASH, _DOCUMENT = 0, 1, 2, 3, 4  # columns of the table of pieces; a row of another document is free


@numba.njit(f"i8[::1]({_TEXT})", cache=True, nogil=True)
def count_words(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Per document `len(text.split())`."""
    counts = np.zeros(len(offsets) - 1, np.int64)
    for document in range(len(counts)):
        at, end = offsets[document], offsets[document + 1]
        inside = False
        while at < end:
            code, size = decode(data, at, end)
            space = is_python_space(code)
            counts[document] += not space and not inside
            inside = not space
            at += size
    return counts


@numba.njit(f"i8[::1]({_TEXT}, Array(u1, 1, 'C', readonly=True))", cache=True, nogil=True)
def count_word_pieces(data: np.ndarray, offsets: np.ndarray, word: np.ndarray) -> np.ndarray:
    r"""Per document the number of matches of `\w+|[^\w\s]+`."""
    counts = np.zeros(len(offsets) - 1, np.int64)
    for document in range(len(counts)):
        at, end = offsets[document], offsets[document + 1]
        before = 0  # 0 space, 1 word, 2 neither
        while at < end:
            code, size = decode(data, at, end)
            kind = 1 if word[code] else (0 if is_python_space(code) else 2)
            counts[document] += kind != 0 and kind != before
            before = kind
            at += size
    return counts


@numba.njit(f"i8[::1]({_TEXT})", cache=True, nogil=True)
def count_trimmed_bytes(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Per document the UTF-8 bytes that Rust's `trim` leaves."""
    counts = np.empty(len(offsets) - 1, np.int64)
    for document in range(len(counts)):
        start, end = trim(data, offsets[document], offsets[document + 1], False)
        counts[document] = end - start
    return counts


@uncounted
def _place(data: np.ndarray, start: int, end: int, table: np.ndarray, document: int) -> np.int64:
    """The row of `table` that holds the piece, or the free row for it."""
    value = np.uint64(_FNV_OFFSET)
    for at in range(start, end):
        value = (value ^ np.uint64(data[at])) * np.uint64(_FNV_PRIME)
    key = np.int64(value)
    mask = len(table) - 1
    row = (key ^ key >> 32) & mask
    while table[row, _DOCUMENT] == document:
        if table[row, _HASH] == key and table[row, _LENGTH] == end - start:
            other, same = table[row, _START], 0
            while same < end - start and data[other + same] == data[start + same]:
                same += 1
            if same == end - start:
                return row
        row = (row + 1) & mask
    table[row, _COUNT], table[row, _START], table[row, _LENGTH], table[row, _HASH] = 0, start, end - start, key
    return row


@numba.njit(nogil=True)
def _grown(data: np.ndarray, table: np.ndarray, document: int) -> np.ndarray:
    larger = np.full((2 * len(table), 5), -1, np.int64)
    for old in range(len(table)):
        if table[old, _DOCUMENT] == document:
            start = table[old, _START]
            row = _place(data, start, start + table[old, _LENGTH], larger, document)
            larger[row] = table[old]
    return larger


@numba.njit(inline="always")
def _next_piece(data: np.ndarray, at: int, end: int, word: np.ndarray, whitespace: bool) -> tuple[int, int]:
    """The run of one kind of characters that begins at `at`: (where it is cut in two, or its end; its end)."""
    code, size = decode(data, at, end)
    is_word = word[code] != 0 if not whitespace else not is_python_space(code)
    cut, capital = -1, 0x41 <= code <= 0x5A
    before, at = at, at + size
    while at < end:
        code, size = decode(data, at, end)
        if (word[code] != 0 if not whitespace else not is_python_space(code)) != is_word:
            break
        if cut < 0 and capital:
            cut = before
        capital = 0x41 <= code <= 0x5A
        before, at = at, at + size
    return cut if is_word and not whitespace and cut >= 0 else at, at


@numba.njit(f"i8[:, ::1]({_TEXT}, Array(u1, 1, 'C', readonly=True), b1)", cache=True, nogil=True)
def count_top_words(data: np.ndarray, offsets: np.ndarray, word: np.ndarray, whitespace: bool) -> np.ndarray:
    r"""Per document: occurrences of the most frequent word, of the second, and of all.

    With `whitespace`, words are `text.split()`; else the stripped, non-empty pieces of `re.split(r"(\W+|[A-Z]\w+)", text)`:
    every run of non-word characters, and every run of word characters, cut before its first capital that another follows.
    """
    result = np.zeros((len(offsets) - 1, 3), np.int64)
    table = np.full((1 << 12, 5), -1, np.int64)
    for document in range(len(result)):
        at, end = offsets[document], offsets[document + 1]
        first, second, total, distinct, top = 0, 0, 0, 0, -1
        while at < end:
            start = at
            middle, at = _next_piece(data, at, end, word, whitespace)
            for half in range(2):
                left, right = (start, middle) if half == 0 else (middle, at)
                left, right = trim(data, left, right, True)
                if left == right:
                    continue
                if 2 * distinct >= len(table):
                    table = _grown(data, table, document)
                row = _place(data, left, right, table, document)
                if table[row, _DOCUMENT] != document:
                    table[row, _DOCUMENT] = document
                    distinct += 1
                table[row, _COUNT] += 1
                total += 1
                count, place = table[row, _COUNT], table[row, _START]
                if place == top:
                    first = count
                elif count > first:
                    first, second, top = count, first, place
                elif count > second:
                    second = count
        result[document, 0], result[document, 1], result[document, 2] = first, second, total
    return result
