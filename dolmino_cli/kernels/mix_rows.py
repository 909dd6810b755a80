"""The rows of a mix as the text that Python's csv module would write: `start,end,id,source:src,loc` and CRLF."""

from __future__ import annotations

import numba
import numpy as np
import pyarrow as pa

from dolmino_cli.buffers import text_buffers

_BYTES = "Array(u1, 1, 'C', readonly=True)"
_OFFSETS = "Array(i8, 1, 'C', readonly=True)"
_QUOTE, _COMMA, _CR, _LF, _ZERO, _COLON = np.frombuffer(b'",\r\n0:', np.uint8)
# Three numbers of up to 20 digits, four commas, CRLF, a colon, two pairs of quotes.
_ROW_BYTES = 3 * 20 + 4 + 2 + 1 + 4


def mix_rows(
    bounds: np.ndarray, id: pa.LargeStringArray, source: np.ndarray, sources: pa.LargeStringArray, src: pa.LargeStringArray,
    loc: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """UTF-8 bytes of all rows, uint8. Document i holds tokens bounds[i] to bounds[i + 1] (int64) of its file and is of
    `sources[source[i]]` (uint16); `loc` is int64, none is negative."""
    (id_bytes, id_ends), (src_bytes, src_ends) = text_buffers(id), text_buffers(src)
    name_bytes, name_ends = text_buffers(sources)
    longest_name = int(np.diff(name_ends).max())
    # Every byte of a text may be a quote, which is doubled.
    texts = int(id_ends[-1] - id_ends[0] + src_ends[-1] - src_ends[0]) + len(id) * longest_name
    out = np.empty(2 * texts + len(id) * _ROW_BYTES, np.uint8)
    size = _write_rows(bounds, id_bytes, id_ends, source, name_bytes, name_ends, src_bytes, src_ends, loc, out)
    return out[:size]


@numba.njit(nogil=True, inline="always")
def _number(value: int, out: np.ndarray, place: int) -> int:
    digits, rest = 1, value // 10
    while rest > 0:
        digits, rest = digits + 1, rest // 10
    for i in range(place + digits - 1, place - 1, -1):
        out[i] = _ZERO + np.uint8(value % 10)
        value //= 10
    return place + digits


@numba.njit(nogil=True, inline="always")
def _special(data: np.ndarray, start: int, end: int) -> bool:
    found = False
    for i in range(start, end):
        byte = data[i]
        found |= (byte == _QUOTE) | (byte == _COMMA) | (byte == _CR) | (byte == _LF)
    return found


@numba.njit(nogil=True, inline="always")
def _text(data: np.ndarray, start: int, end: int, quoted: bool, out: np.ndarray, place: int) -> int:
    for i in range(start, end):
        out[place] = data[i]
        place += 1
        if quoted and data[i] == _QUOTE:
            out[place] = _QUOTE
            place += 1
    return place


@numba.njit(
    f"i8({_OFFSETS}, {_BYTES}, {_OFFSETS}, Array(u2, 1, 'C', readonly=True), {_BYTES}, {_OFFSETS}, {_BYTES}, {_OFFSETS},"
    f" {_OFFSETS}, u1[::1])",
    cache=True,
    nogil=True,
)
def _write_rows(
    bounds: np.ndarray, id_bytes: np.ndarray, id_ends: np.ndarray, source: np.ndarray, name_bytes: np.ndarray,
    name_ends: np.ndarray, src_bytes: np.ndarray, src_ends: np.ndarray, loc: np.ndarray, out: np.ndarray,
) -> int:  # fmt: skip
    place = 0
    for row in range(len(bounds) - 1):
        place = _number(bounds[row], out, place)
        out[place] = _COMMA
        place = _number(bounds[row + 1], out, place + 1)
        out[place] = _COMMA
        place += 1
        for field in range(2):  # the id; the source and its src
            data, ends = (id_bytes, id_ends) if field == 0 else (src_bytes, src_ends)
            start, end = ends[row], ends[row + 1]
            quoted = _special(data, start, end)
            if quoted:
                out[place] = _QUOTE
                place += 1
            if field == 1:  # no name of a source has anything to quote
                place = _text(name_bytes, name_ends[source[row]], name_ends[source[row] + 1], False, out, place)
                out[place] = _COLON
                place += 1
            place = _text(data, start, end, quoted, out, place)
            if quoted:
                out[place] = _QUOTE
                place += 1
            out[place] = _COMMA
            place += 1
        place = _number(loc[row], out, place)
        out[place] = _CR
        out[place + 1] = _LF
        place += 2
    return place
