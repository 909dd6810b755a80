"""Posts.xml -> rows, as fast as its usual form allows and as right as an XML parser: what is unusual goes to expat.

Dumps are written one row a line. Between the lines `<posts>` and `</posts>` each line is looked at by itself: a line that
begins with `<row` cannot stand inside anything else, for no attribute value may hold a `<`, and a comment or CDATA section
begins on a line that is no row. From the first such line on, expat reads all the rest. A document type, and with it every
entity that could be declared or expanded, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, Protocol
from xml.parsers import expat

import numpy as np

from dolmino_cli.errors import DataError
from dolmino_cli.kernels.xml_rows import BLANK, ROW
from dolmino_cli.shards.faults import OnError, Quarantined
from dolmino_cli.sources.stackexchange.posts import Posts, plain_row, posts_of, scan

_BLOCK_BYTES = 1 << 20
# The longest body allowed on the sites is 30,000 characters, some 200 kB escaped. A longer line is not of a usual dump.
_LONGEST_LINE_BYTES = 8 << 20
_BOM = b"\xef\xbb\xbf"
_DECLARATION = re.compile(rb"""<\?xml version=(["'])1\.0\1(?: encoding=(["'])[uU][tT][fF]-8\2)?\s*\?>""")

_State = Literal["before", "inside", "after"]
_RESUMED: dict[_State, bytes] = {"before": b"", "inside": b"<posts>", "after": b"<posts></posts>"}


class PlainStream(Protocol):
    """What rows are read from: `fill` as `shards.compression.PlainBytes` has it, `problem` says why it ended early."""

    problem: str | None

    def fill(self, view: memoryview) -> int:
        """Fill `view` with the next bytes; fewer only at the end or at a `problem`."""


def read_posts(stream: PlainStream, path: str, *, on_error: OnError) -> Iterator[tuple[Posts, list[Quarantined]]]:
    """The rows of Posts.xml in order, about a megabyte at a time, each with the rows set aside (see `read_batches`).

    A batch's data is overwritten by the next one. Raises DataError, with path and line, for XML that is not well formed or
    not of posts, for a document type, for a file that is cut short; and for a row that is no post, or whose own XML is
    faulty, unless such rows are quarantined.
    """
    reader = _Reader(path, on_error)
    for data, starts, ends, first in _blocks(stream):
        yield from reader.read(data, starts, ends, first)
    if stream.problem is not None:
        raise DataError(stream.problem, path=path, line=reader.line)
    yield from reader.finish()


def _blocks(stream: PlainStream) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, int]]:
    """(buffer, where its lines start, where they end, 1-based number of the first); line ends are \\n alone.

    A line over the limit comes in pieces: that is no row, so that expat reads on from it, and to expat pieces are all one.
    """
    buffer = np.empty(_BLOCK_BYTES, np.uint8)
    held = stream.fill(buffer.data[: len(_BOM)])
    if bytes(buffer[:held]) == _BOM:
        held = 0
    first = 1
    while True:
        filled = held + stream.fill(buffer.data[held:])
        at_end = filled < len(buffer)
        ends = np.flatnonzero(buffer[:filled] == ord("\n"))
        if not len(ends) and not at_end and len(buffer) < _LONGEST_LINE_BYTES:
            buffer, held = np.concatenate([buffer, np.empty_like(buffer)]), filled
            continue
        unfinished = at_end or not len(ends)
        complete = filled if unfinished else int(ends[-1]) + 1
        lines = len(ends)
        if complete and (not lines or ends[-1] + 1 < complete):
            ends = np.append(ends, complete)
        yield buffer, np.concatenate([np.zeros(min(1, len(ends)), np.int64), ends[:-1] + 1]), ends, first
        if at_end:
            return
        first += lines
        held = filled - complete
        buffer[:held] = buffer[complete:filled].copy()


class _Reader:
    """Lines in, rows out; follows where in the document it is until expat takes over."""

    def __init__(self, path: str, on_error: OnError) -> None:
        self._path, self._on_error = path, on_error
        self._state: _State = "before"
        self._declared = b""
        self._expat: _Expat | None = None
        self.line = 1

    def read(
        self, data: np.ndarray, starts: np.ndarray, ends: np.ndarray, first: int
    ) -> Iterator[tuple[Posts, list[Quarantined]]]:
        """The rows of one block of lines."""
        self.line = first + max(0, len(starts) - 1)
        if self._expat is not None:
            yield self._expat.read(data, starts, ends)
            return
        posts, kinds = scan(data, starts, ends)
        odd: list[bytes] = []
        faulty: list[Quarantined] = []
        stop = len(starts)
        for place in self._unusual(kinds):
            line = data[starts[place] : ends[place]].tobytes().strip()
            if self._moves(line, first + place):
                continue
            row = self._by_itself(line, first + place)
            if row is None:
                stop = place
                break
            if isinstance(row, Quarantined):
                faulty.append(row)
            else:
                odd.append(row)
        rows = np.flatnonzero(kinds[:stop] == ROW)
        yield posts.where(rows), faulty
        if odd:
            yield posts_of(b"".join(odd)), []
        if stop < len(starts):
            self._expat = _Expat(self._path, self._on_error, self._declared + _RESUMED[self._state], first + stop)
            yield self._expat.read(data, starts[stop:], ends[stop:])

    def finish(self) -> Iterator[tuple[Posts, list[Quarantined]]]:
        """What comes at the end of the file. Raises DataError where it is not the end of the document."""
        if self._expat is not None:
            yield self._expat.finish()
        elif self._state == "before":
            raise DataError("no <posts> in it; give the Posts.xml of a dump", path=self._path)
        elif self._state == "inside":
            problem = "the file ends before </posts>: it is cut short; fetch it again"
            raise DataError(problem, path=self._path, line=self.line)

    def _unusual(self, kinds: np.ndarray) -> Iterator[int]:
        """Lines that are not rows inside <posts>; looked up again wherever the state changes."""
        place = 0
        while place < len(kinds):
            state = self._state
            wanted = kinds[place:] != BLANK if state != "inside" else (kinds[place:] != BLANK) & (kinds[place:] != ROW)
            for found in (np.flatnonzero(wanted) + place).tolist():
                place = found + 1
                yield found
                if self._state != state:
                    break
            else:
                return

    def _moves(self, line: bytes, number: int) -> bool:
        """Whether the line is the one that leads on from the present state; then it did."""
        if self._state == "before" and _DECLARATION.fullmatch(line) and number == 1:
            self._declared = line
        elif self._state == "before" and line == b"<posts>":
            self._state = "inside"
        elif self._state == "inside" and line == b"</posts>":
            self._state = "after"
        else:
            return False
        return True

    def _by_itself(self, line: bytes, number: int) -> bytes | Quarantined | None:
        """The line as a plain row, or as one set aside; None where only what follows can tell what it is.

        A line with a second `<` may hold the beginning of anything. Where faulty rows are not set aside expat reads on also
        from a line that is no XML by itself: an attribute that goes over several lines may look like that.
        """
        if self._state != "inside" or not (line.startswith(b"<row ") and line.endswith(b"/>") and line.count(b"<") == 1):
            return None
        attributes: dict[str, str] = {}
        parser = expat.ParserCreate("utf-8")
        parser.StartElementHandler = lambda _name, found: attributes.update(found)
        try:
            parser.Parse(line, True)
            return plain_row(attributes)
        except expat.ExpatError as error:
            if self._on_error == "fail":
                return None
            reason = f"XML that is not well formed: {expat.errors.messages[error.code]}"
        except ValueError as error:
            if self._on_error == "fail":
                raise DataError(str(error), path=self._path, line=number) from None
            reason = str(error)
        return Quarantined(line=number, reason=reason, record=line)


class _Expat:
    """The rest of a file, from line `first` on, through expat; `before` is XML that stands for what was read already."""

    def __init__(self, path: str, on_error: OnError, before: bytes, first: int) -> None:
        self._path, self._on_error = path, on_error
        self._depth = 0
        self._rows: list[bytes] = []
        self._faulty: list[Quarantined] = []
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._first = first
        self._parse(before)

    def read(self, data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> tuple[Posts, list[Quarantined]]:
        """The rows that end in these lines."""
        if len(starts):
            end = int(ends[-1])
            # The piece of a line over the limit has no line feed after it; there none may be put in.
            whole = end < len(data) and data[end] == ord("\n")
            self._parse(data[int(starts[0]) : end + whole].tobytes())
        return self._taken()

    def finish(self) -> tuple[Posts, list[Quarantined]]:
        """The end of the file; raises DataError where the document has not ended."""
        self._parse(b"", final=True)
        return self._taken()

    def _parse(self, piece: bytes, *, final: bool = False) -> None:
        try:
            self._parser.Parse(piece, final)
        except expat.ExpatError as error:
            reason = expat.errors.messages[error.code]
            raise DataError(f"XML that is not well formed: {reason}", path=self._path, line=self._line(error.lineno)) from None

    def _line(self, own: int) -> int:
        return self._first + own - 1

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        expected = {1: "posts", 2: "row"}.get(self._depth)
        line = self._line(self._parser.CurrentLineNumber)
        if name != expected:
            found = f"<{name[:40]}> where <{expected}> is expected" if expected else f"<{name[:40]}> inside a row"
            raise DataError(f"{found}; give the Posts.xml of a dump", path=self._path, line=line)
        if name == "row":
            try:
                self._rows.append(plain_row(attributes))
            except ValueError as error:
                if self._on_error == "fail":
                    raise DataError(str(error), path=self._path, line=line) from None
                self._faulty.append(Quarantined(line=line, reason=str(error), record=repr(attributes).encode()))

    def _end(self, _name: str) -> None:
        self._depth -= 1

    def _doctype(self, name: str, *_: object) -> None:
        problem = f"a document type ({name[:40]}) is declared; no dump has one, and its entities are not expanded: refused"
        raise DataError(problem, path=self._path, line=self._line(self._parser.CurrentLineNumber))

    def _taken(self) -> tuple[Posts, list[Quarantined]]:
        rows, faulty = self._rows, self._faulty
        self._rows, self._faulty = [], []
        return posts_of(b"".join(rows)), faulty
