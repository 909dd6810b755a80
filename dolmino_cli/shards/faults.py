"""What is wrong with a record, in words; and the record that is set aside for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np

OnError = Literal["fail", "quarantine"]
"""What to do with a record that is no document: stop the shard, or set the record aside."""


@dataclass(frozen=True, kw_only=True)
class Quarantined:
    """A record that could not be read as a document: where (1-based line or row), why, and its bytes."""

    line: int
    reason: str
    record: bytes


@dataclass(frozen=True, kw_only=True)
class TooLarge:
    """A record that was not read, as it has more bytes than allowed; sha256 is that of its bytes."""

    bytes: int
    sha256: str

    def reason(self, most_bytes: int) -> str:
        """Why it is set aside, in words."""
        return (
            f"{self.bytes:,} bytes, more than --max-document {most_bytes:,}; sha256 {self.sha256}; it stays in the input, "
            "and no bytes of it are here"
        )


class Document(msgspec.Struct, gc=False):
    """What every record must have. Of two equal keys in one object the last counts, as in Python's json (see `parsed`)."""

    id: str
    text: str


DECODER = msgspec.json.Decoder(Document)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRING = msgspec.json.Decoder(str)

MOST_LEVELS = 500
"""Objects and arrays in each other that a record may have: decoders stop at a depth that depends on that of their caller."""

_KINDS = {dict: "an object", list: "an array", str: "a string", int: "a number", float: "a number", bool: "a boolean"}


def parsed(line: bytes) -> Document:
    """The document on a line. Raises MsgspecError, UnicodeError, KeyError or RecursionError where there is none: see `fault`."""
    try:
        return DECODER.decode(line)
    except msgspec.ValidationError:  # Maybe only of an earlier one of two equal keys, which does not count.
        value = _FIELDS.decode(line)
        return Document(id=_STRING.decode(value["id"]), text=_STRING.decode(value["text"]))


def fault(line: bytes, *, required: Sequence[str] = ("id", "text")) -> str | None:
    """Why `line` is no document, or None if it is one; `required` are the strings that it must have to be told so.

    A document is a JSON object (RFC 8259) in UTF-8 with strings `id` and `text`. A lone surrogate escape anywhere in it
    is refused too: no text has it, and no UTF-8 can hold it.
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"invalid UTF-8: byte 0x{line[error.start]:02x} at position {error.start + 1} of the line"
    if nested_too_deeply(line):
        return f"nested too deeply: more than {MOST_LEVELS} objects and arrays in each other"
    try:
        parsed(line)
    except (msgspec.MsgspecError, UnicodeError, KeyError, RecursionError) as error:
        return _in_words(text, required) or f"invalid JSON: {error}"
    return None


def nested_too_deeply(line: bytes) -> bool:
    """Whether there are more than MOST_LEVELS objects and arrays in each other on a line."""
    if np.count_nonzero(_marks(line) == ord("[")) <= MOST_LEVELS:
        return False
    # Without escaped backslashes and quotes, every second piece between two quotes stands outside of texts.
    marks = _marks(b"".join(line.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]))
    levels = np.cumsum((marks == ord("[")).astype(np.int32) - (marks == ord("]")))
    return bool(levels.max(initial=0) > MOST_LEVELS)


def _marks(text: bytes) -> np.ndarray:
    """The bytes, { and } as [ and ]: they differ in one bit."""
    return np.frombuffer(text, np.uint8) & 0xDF


def _in_words(text: str, required: Sequence[str]) -> str | None:
    # The fast decoder's messages count bytes, and name a lone surrogate as truncation: Python's json explains better.
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        return f"invalid JSON: {error.msg} at character {error.pos + 1}"
    except ValueError as error:
        return f"invalid JSON: {error}"
    if not isinstance(value, dict):
        return f"expected a JSON object on each line, got {_kind(value)}"
    for name in required:
        if name not in value:
            return f"no field `{name}`; fields: {', '.join(list(value)[:12]) or 'none'}"
        if not isinstance(value[name], str):
            return f"`{name}` must be a string, got {_kind(value[name])}"
    place = _lone_surrogate(value)
    return place and f"lone surrogate escape in `{place}`: no Unicode text has it"


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "null")


def _lone_surrogate(value: Any, place: str = "") -> str | None:
    if isinstance(value, str):
        return place if any("\ud800" <= character <= "\udfff" for character in value) else None
    if isinstance(value, dict):
        for name, below in value.items():
            if _lone_surrogate(name, "a"):
                return place or "a field's name"
            found = _lone_surrogate(below, f"{place}.{name}" if place else name)
            if found:
                return found
    if isinstance(value, list):
        for below in value:
            found = _lone_surrogate(below, place)
            if found:
                return found
    return None
