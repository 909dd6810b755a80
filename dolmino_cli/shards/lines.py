"""A stream of plain bytes -> blocks of whole lines in one reused buffer, with where each line begins and ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dolmino_cli.shards.compression import PlainBytes

_BOM = b"\xef\xbb\xbf"
_NEWLINE, _RETURN = 10, 13


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Consecutive lines of a file; valid until the next block is asked for, which reuses `buffer`.

    Line i is `buffer[starts[i]:ends[i]]`, its line end (\\n or \\r\\n) left out; `first` is the 1-based number of line 0.
    `unfinished`: the last line has no line end because the stream broke there (it may have no bytes).
    """

    buffer: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    first: int
    unfinished: bool


def blocks(stream: PlainBytes, block_bytes: int) -> Iterator[Lines]:
    """The stream's lines, cut at \\n only, about `block_bytes` at a time; a longer line makes its block as long.

    A byte order mark at the start is left out. A last line need not have a line end.
    """
    buffer = np.empty(block_bytes, np.uint8)
    held = stream.fill(buffer.data[: len(_BOM)])
    if bytes(buffer[:held]) == _BOM:
        held = 0
    first, searched = 1, 0
    while True:
        filled = held + stream.fill(buffer.data[held:])
        newlines = np.flatnonzero(buffer[searched:filled] == _NEWLINE) + searched
        at_end = filled < len(buffer)
        if not at_end and not len(newlines):
            grown = np.empty(2 * len(buffer), np.uint8)
            grown[:filled] = buffer
            buffer, held, searched = grown, filled, filled
            continue
        complete = int(newlines[-1]) + 1 if len(newlines) else 0
        yield _lines(buffer, newlines, first, end=filled if at_end else complete, broken=at_end and stream.problem is not None)
        if at_end:
            return
        first += len(newlines)
        held = filled - complete
        tail = buffer[complete:filled].copy()
        if len(buffer) > block_bytes and held < block_bytes:
            buffer = np.empty(block_bytes, np.uint8)  # a long line's memory goes back
        buffer[:held] = tail
        searched = held  # the tail holds no newline


def _lines(buffer: np.ndarray, newlines: np.ndarray, first: int, *, end: int, broken: bool) -> Lines:
    last = int(newlines[-1]) + 1 if len(newlines) else 0
    ends = np.append(newlines, end) if end > last or broken else newlines
    starts = np.empty_like(ends)
    starts[:1] = 0
    starts[1:] = ends[:-1] + 1
    # A carriage return belongs to the line end only where a newline follows, and the line is not empty.
    with_return = np.zeros(len(ends), bool)
    count = len(newlines)
    with_return[:count] = (newlines > starts[:count]) & (buffer[newlines - 1] == _RETURN)
    return Lines(buffer=buffer, starts=starts, ends=ends - with_return, first=first, unfinished=broken)
