"""Contiguous repetition: how many times a unit of 1 to 13 tokens stands in a row, and which texts can have such a thing.

A unit of p items that stands k times in a row is a run of (k - 1) * p places i with x[i] == x[i - p]. Such a run always
holds a place whose number is a multiple of (k - 1) * p, so only those are looked at, and only where one of them matches is
the run walked to its ends. For k = 32 and 13 periods that is one place in ten; the longest repetition found so far raises
k for the rest.
"""

from __future__ import annotations

import numba
import numpy as np

_OFFSETS = "Array(i8, 1, 'C', readonly=True)"


@numba.njit(nogil=True, inline="always")
def _run(items: np.ndarray, start: int, end: int, period: int, place: int) -> tuple[int, int]:
    """The run of equal places around `place`: [first, last) within [start, end)."""
    first = place
    while first > start and items[first - 1] == items[first - 1 - period]:
        first -= 1
    last = place + 1
    while last < end and items[last] == items[last - period]:
        last += 1
    return first, last


@numba.njit([f"i8[::1](Array({ids}, 1, 'C', readonly=True), {_OFFSETS}, i8, i8)" for ids in ("u4", "u2")], cache=True, nogil=True)
def repeat_counts(ids: np.ndarray, offsets: np.ndarray, max_period: int, count_from: int) -> np.ndarray:
    """Longest contiguous repetition per document, int64.

    Document d is `ids[offsets[d]:offsets[d + 1]]` (uint32 or uint16; int64 offsets). Its count is the largest
    floor((L + p) / p) over periods p of 1 to min(max_period, length // 3), where L is the longest run of places with
    x[i] == x[i - p]; 0 where that is below `count_from` (3 or more).
    """
    counts = np.zeros(len(offsets) - 1, np.int64)
    for document in range(len(offsets) - 1):
        start, end = offsets[document], offsets[document + 1]
        best = count_from - 1
        for period in range(1, max_period + 1):
            # Only a longer repetition than the best so far is of interest; it needs `best + 1` units.
            if (best + 1) * period > end - start:
                break
            place = start + period + best * period - 1
            while place < end:
                if ids[place] == ids[place - period]:
                    first, last = _run(ids, start + period, end, period, place)
                    best = max(best, (last - first + period) // period)
                    place = last
                place += best * period
        if best >= count_from:
            counts[document] = best
    return counts


@numba.njit(f"b1[::1](Array(u1, 1, 'C', readonly=True), {_OFFSETS}, i8, i8)", cache=True, nogil=True)
def may_repeat(data: np.ndarray, offsets: np.ndarray, max_period: int, count: int) -> np.ndarray:
    """Whether a unit of up to `max_period` bytes stands `count` or more times in a row, bool per document.

    Document d is `data[offsets[d]:offsets[d + 1]]` (uint8; int64 offsets).
    """
    found = np.zeros(len(offsets) - 1, np.bool_)
    for document in range(len(offsets) - 1):
        start, end = offsets[document], offsets[document + 1]
        for period in range(1, min(max_period, (end - start) // count) + 1):
            step = (count - 1) * period
            place = start + period + step - 1
            while place < end and not found[document]:
                if data[place] == data[place - period]:
                    first, last = _run(data, start + period, end, period, place)
                    found[document] = last - first >= step
                    place = last
                place += step
            if found[document]:
                break
    return found


@numba.njit([f"b1[::1](Array({ids}, 1, 'C', readonly=True), i8, i8, i8)" for ids in ("u4", "u2")], cache=True, nogil=True)
def windows_repeat(ids: np.ndarray, window: int, max_period: int, count: int) -> np.ndarray:
    """Whether a unit of up to `max_period` ids stands `count` or more times in a row inside a window, bool per window.

    Window w is `ids[w * window : (w + 1) * window]` (uint32 or uint16); ids after the last whole window are not looked at.
    """
    found = np.zeros(len(ids) // window, np.bool_)
    for number in range(len(found)):
        start, end = number * window, (number + 1) * window
        for period in range(1, min(max_period, window // count) + 1):
            step = (count - 1) * period
            place = start + period + step - 1
            while place < end:
                if ids[place] == ids[place - period]:
                    first, last = _run(ids, start + period, end, period, place)
                    if last - first >= step:
                        found[number] = True
                        break
                    place = last
                place += step
            if found[number]:
                break
    return found
