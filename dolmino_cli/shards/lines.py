"""A stream of plain bytes -> blocks of whole lines in one reused buffer, with where each line begins and ends."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from dolmino_cli.shards.compression import PlainBytes
from dolmino_cli.shards.faults import TooLarge

_BOM = b"\xef\xbb\xbf"
_NEWLINE, _RETURN = 10, 13
_LINE_END_BYTES = 2


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Consecutive lines of a file; valid until the next block is asked for, which reuses `buffer`.

    Line i is `buffer[starts[i]:ends[i]]`, its line end (\\n or \\r\\n) left out; `first` is the 1-based number of line 0.
    `unfinished`: the last line has no line end because the stream broke there (it may have no bytes).
    `too_large` has, by i, the lines longer than allowed, which stand here as empty ones.
    """

    buffer: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    first: int
    unfinished: bool
    too_large: Mapping[int, TooLarge] = field(default_factory=dict)


def blocks(stream: PlainBytes, block_bytes: int) -> Iterator[Lines]:
    """The stream's lines, cut at \\n only, about `block_bytes` at a time; a longer line makes its block as long.

    A byte order mark at the start is left out. A last line need not have a line end.
    """
    return LineReader(stream, block_bytes).blocks()


class LineReader:
    """The lines of a stream from its start on, in blocks; a stretch of them can be passed over.

    `lines` counts those that the last `blocks` gave. A line longer than `longest_bytes` (its line end not counted) is never
    held whole.
    """

    def __init__(self, stream: PlainBytes, block_bytes: int, longest_bytes: int | None = None) -> None:
        self._stream, self._block_bytes, self._longest_bytes = stream, block_bytes, longest_bytes
        self._buffer = np.empty(block_bytes, np.uint8)
        self._position = 0  # of the buffer's first byte, in the stream
        self._held = 0  # bytes at the buffer's start that no block has had
        self._searched = 0  # of these, how many are known to be no newline
        self._given = 0  # bytes at the buffer's start that the last block has
        self._known = 0  # what `_searched` will be once they are taken back
        self._ended = False
        self.lines = 0

    def blocks(self, until: int | None = None) -> Iterator[Lines]:
        """The next lines, numbered from 1, of those that begin before byte `until` of the stream, in blocks."""
        self._take_back()
        self.lines = 0
        if self._position == 0 and self._pass_mark() and until is not None:
            until = max(until, len(_BOM) + 1)  # the line after the mark begins where the mark does
        while not self._ended and (until is None or self._position < until):
            block = self._block(until)
            if block is not None:
                self.lines += len(block.starts)
                yield block
            self._take_back()

    def skip_to(self, start: int) -> None:
        """Pass over all lines that begin before byte `start` of the stream: by a seek where the stream can."""
        self._take_back()
        offset = start - 1 - self._position  # the byte before the next line is a newline
        if offset < 0:
            return
        if offset >= self._held:
            self._stream.skip(offset - self._held)
            self._position, self._held, offset = start - 1, 0, 0
        while True:
            newlines = np.flatnonzero(self._buffer[offset : self._held] == _NEWLINE)
            if len(newlines):
                self._give(offset + int(newlines[0]) + 1)
                return
            self._give(self._held)
            offset = 0
            self._fill()
            if not self._held:
                self._ended = True
                return

    @property
    def at_end(self) -> bool:
        """Has every line been given or passed over? May read on."""
        self._take_back()
        if not self._ended and not self._held:
            self._fill()
            self._ended = not self._held and self._stream.problem is None
        return self._ended

    def _pass_mark(self) -> bool:
        """Read over a byte order mark at the very start."""
        if not self._held:
            self._held = self._stream.fill(self._buffer.data[: len(_BOM)])
        if bytes(self._buffer[: min(self._held, len(_BOM))]) != _BOM:
            return False
        self._give(len(_BOM))
        return True

    def _fill(self) -> bool:
        """Fill the buffer; returns whether the stream ended there."""
        self._held += self._stream.fill(self._buffer.data[self._held :])
        return self._held < len(self._buffer)

    def _give(self, count: int) -> None:
        """Take the buffer's first `count` bytes as done with."""
        left = self._held - count
        tail = self._buffer[count : self._held].copy()
        if len(self._buffer) > self._block_bytes and left < self._block_bytes:
            self._buffer = np.empty(self._block_bytes, np.uint8)  # a long line's memory goes back
        self._buffer[:left] = tail
        self._position += count
        self._held, self._searched = left, 0

    def _block(self, until: int | None) -> Lines | None:
        ended = self._fill()
        newlines = np.flatnonzero(self._buffer[self._searched : self._held] == _NEWLINE) + self._searched
        if not ended and not len(newlines):
            self._searched = self._held
            return self._grow()
        room = None if until is None else until - self._position
        cut = len(newlines) if room is None else int(np.searchsorted(newlines[:-1], room - 1)) + 1
        further = cut < len(newlines)
        newlines = newlines[:cut]
        complete = int(newlines[-1]) + 1 if len(newlines) else 0
        broken = ended and self._stream.problem is not None
        unfinished = self._held > complete or broken
        whole = ended and not further and (not unfinished or room is None or complete < room)
        end = self._held if whole else complete
        self._ended = whole
        self._given, self._known = end, 0 if further else self._held - end
        return self._lines(newlines, end=end, broken=broken and whole)

    def _take_back(self) -> None:
        """Forget what the last block had: its part of the buffer is free now."""
        if self._given:
            self._give(self._given)
            self._given, self._searched = 0, self._known

    def _lines(self, newlines: np.ndarray, *, end: int, broken: bool) -> Lines:
        last = int(newlines[-1]) + 1 if len(newlines) else 0
        ends = np.append(newlines, end) if end > last or broken else newlines
        starts = np.empty_like(ends)
        starts[:1] = 0
        starts[1:] = ends[:-1] + 1
        # A carriage return belongs to the line end only where a newline follows, and the line is not empty.
        with_return = np.zeros(len(ends), bool)
        count = len(newlines)
        with_return[:count] = (newlines > starts[:count]) & (self._buffer[newlines - 1] == _RETURN)
        lines = Lines(buffer=self._buffer, starts=starts, ends=ends - with_return, first=self.lines + 1, unfinished=broken)
        return lines if self._longest_bytes is None else _without_large(lines, self._longest_bytes)

    def _grow(self) -> Lines | None:
        """Make room for a line that fills the buffer; where that is more than allowed, the line as one too large."""
        allowed = None if self._longest_bytes is None else self._longest_bytes + _LINE_END_BYTES
        if allowed is not None and self._held >= allowed:
            return self._pass_large()
        size = 2 * len(self._buffer)
        grown = np.empty(size if allowed is None else min(size, allowed), np.uint8)
        grown[: self._held] = self._buffer[: self._held]
        self._buffer = grown
        return None

    def _pass_large(self) -> Lines:
        """The line that fills the buffer, read on to its end a buffer at a time and hashed."""
        digest, length, ended = hashlib.sha256(), 0, False
        ends_in_return, newline = False, False
        while not newline and not (ended and not self._held):
            found = np.flatnonzero(self._buffer[: self._held] == _NEWLINE)
            newline = len(found) > 0
            count = int(found[0]) if newline else self._held
            piece = self._buffer[:count]
            if count:
                if ends_in_return:
                    digest.update(b"\r")
                ends_in_return = bool(piece[-1] == _RETURN)
                digest.update(piece[: count - ends_in_return].data)
            length += count
            self._give(count + newline)
            if not newline:
                ended = self._fill()
        if ends_in_return and newline:
            length -= 1
        elif ends_in_return:
            digest.update(b"\r")
        self._ended = not newline
        nothing = np.zeros(1, np.int64)
        return Lines(
            buffer=self._buffer,
            starts=nothing,
            ends=nothing,
            first=self.lines + 1,
            unfinished=not newline and self._stream.problem is not None,
            too_large={0: TooLarge(bytes=length, sha256=digest.hexdigest())},
        )


def _without_large(lines: Lines, longest_bytes: int) -> Lines:
    large = np.flatnonzero(lines.ends - lines.starts > longest_bytes).tolist()
    if not large:
        return lines
    ends, found = lines.ends.copy(), {}
    for i in large:
        line = lines.buffer[lines.starts[i] : ends[i]]
        found[i] = TooLarge(bytes=len(line), sha256=hashlib.sha256(line.data).hexdigest())
        ends[i] = lines.starts[i]
    return replace(lines, ends=ends, too_large=found)
