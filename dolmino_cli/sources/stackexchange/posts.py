"""The rows of Posts.xml as columns: which attributes are read, what is a fault of a row, and rows written plainly again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

import numpy as np
import pyarrow as pa

from dolmino_cli.buffers import text_column
from dolmino_cli.kernels.xml_rows import MISSING, OTHER, ROW, copy_lines, decode_values, name_table, scan_rows

INTEGERS = ["Id", "PostTypeId", "AcceptedAnswerId", "ParentId", "Score", "ViewCount", "AnswerCount"]
TEXTS = ["CreationDate", "LastActivityDate", "Title", "Body", "Tags", "ContentLicense"]
QUESTION, ANSWER = 1, 2
"""PostTypeId of the posts that make pairs; the others are wiki pages of tags and the like."""

_NAMES, _LENGTHS = name_table(INTEGERS + TEXTS)
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_ESCAPES = {'"': "&quot;", "\n": "&#xA;", "\r": "&#xD;", "\t": "&#x9;"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Posts:
    """Rows of a dump, in order. Row i is the line `data[starts[i]:ends[i]]`.

    `integers` is int64[rows, INTEGERS], MISSING where a row has no such attribute; `spans` is int64[rows, TEXTS, 2], where
    the value stands in `data`, with XML's references still in it.
    """

    data: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    integers: np.ndarray
    spans: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    def integer(self, name: str, *, default: int | None = None) -> np.ndarray:
        """The column of an integer attribute, int64; `default` instead of MISSING where given."""
        column: np.ndarray = self.integers[:, INTEGERS.index(name)]
        return column if default is None else np.where(column == MISSING, default, column)

    def text(self, name: str) -> pa.LargeStringArray:
        """The column of a text attribute with references replaced; empty where a row has none."""
        spans = np.ascontiguousarray(self.spans[:, TEXTS.index(name)])
        out = np.empty(int((spans[:, 1] - spans[:, 0]).sum()), np.uint8)
        offsets = np.empty(len(spans) + 1, np.int64)
        decode_values(self.data, spans, out, offsets)
        return text_column(out, offsets)

    def where(self, chosen: np.ndarray) -> Posts:
        """The rows of a mask or of indices; the data is shared."""
        return Posts(
            data=self.data,
            starts=self.starts[chosen],
            ends=self.ends[chosen],
            integers=self.integers[chosen],
            spans=self.spans[chosen],
        )

    def lines(self) -> np.ndarray:
        """The rows' own bytes, a line each, in a buffer of their own."""
        out = np.empty(int((self.ends - self.starts).sum()) + len(self), np.uint8)
        copy_lines(self.data, self.starts, self.ends, out)
        return out


def scan(data: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> tuple[Posts, np.ndarray]:
    """Lines as rows, and of each line what it is: ROW, BLANK, or OTHER (to be read by a real XML parser).

    The rows of the lines that are not ROW hold nothing of use.
    """
    integers = np.empty((len(starts), len(INTEGERS)), np.int64)
    spans = np.empty((len(starts), len(TEXTS), 2), np.int64)
    kinds = np.empty(len(starts), np.uint8)
    scan_rows(data, starts, ends, _NAMES, _LENGTHS, integers, spans, kinds)
    if not _is_utf8(data[int(starts[0]) : int(ends[-1])] if len(starts) else data[:0]):
        rows = np.flatnonzero(kinds == ROW)
        broken = [row for row in rows.tolist() if not _is_utf8(data[starts[row] : ends[row]])]
        kinds[broken] = OTHER
    # A post that is nothing without its Id or PostTypeId is a fault; the slow way words it.
    kinds[(kinds == ROW) & (integers[:, :2] == MISSING).any(axis=1)] = OTHER
    return Posts(data=data, starts=starts, ends=ends, integers=integers, spans=spans), kinds


def posts_of(lines: bytes | bytearray | np.ndarray) -> Posts:
    """Rows from whole lines that `scan` has accepted before, or that `plain_row` wrote."""
    data = lines if isinstance(lines, np.ndarray) else np.frombuffer(bytearray(lines), np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    starts = np.concatenate([np.zeros(min(1, len(ends)), np.int64), ends[:-1] + 1])
    posts, kinds = scan(data, starts, ends)
    assert (kinds == ROW).all(), "a row that was accepted before is not accepted again"
    return posts


def plain_row(attributes: Mapping[str, str]) -> bytes:
    """A row as `scan` reads it, with its line feed, from attributes as an XML parser gives them.

    Raises ValueError, saying what is wrong with it, for a row without Id or PostTypeId and for an integer that is none.
    """
    for name in ("Id", "PostTypeId"):
        if name not in attributes:
            raise ValueError(f"a row without {name}; attributes: {', '.join(list(attributes)[:12]) or 'none'}")
    for name in INTEGERS:
        value = attributes.get(name, "0")
        if not _INTEGER.fullmatch(value):
            raise ValueError(f"{name} {value[:40]!r} is not an integer (of at most 18 digits)")
    kept = (name for name in (*INTEGERS, *TEXTS) if name in attributes)
    return f"<row {' '.join(f'{name}={_quoted(attributes[name])}' for name in kept)} />\n".encode()


def _quoted(value: str) -> str:
    # quoteattr prefers single quotes around a value with double ones; the entity given for " keeps it from that.
    quoted = quoteattr(value, _ESCAPES)
    assert quoted[0] == '"', "an escaped value is always in double quotes"
    return quoted


def _is_utf8(data: np.ndarray) -> bool:
    buffers = [None, pa.py_buffer(np.array([0, len(data)], np.int64)), pa.py_buffer(np.ascontiguousarray(data))]
    try:
        pa.Array.from_buffers(pa.large_binary(), 1, buffers).cast(pa.large_string())
    except pa.ArrowInvalid:
        return False
    return True
