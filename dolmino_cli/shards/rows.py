"""A publisher's rows -> documents: which columns make the text and the id; nothing of the row is lost."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from dolmino_cli.errors import ConfigError
from dolmino_cli.shards.faults import fault

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRING = msgspec.json.Decoder(str)
_NUMBER = msgspec.json.Decoder(int)
_ENCODER = msgspec.json.Encoder()
_ID_DIGITS = 16  # 64 bits of a hash: two of 10 million rows are alike once in 300,000 such files


@dataclass(frozen=True, kw_only=True)
class RowLayout:
    """The columns of a row that become a document's `text` and `id`. The whole row goes to `metadata`.

    In a recipe: `rows: [{text: [question, answer]}, ...]`; a row is read by the first layout whose columns it has.
    """

    text: tuple[str, ...]
    """Columns of strings, joined by a newline."""

    id: tuple[str, ...] = ()
    """Columns of strings or whole numbers, joined by `/`. None: a hash of the row, so that equal rows get equal ids."""

    def __post_init__(self) -> None:
        if not self.text:
            raise ConfigError("text is an empty list; name the columns that make the text")

    def __str__(self) -> str:
        return f"rows:      text = {', '.join(self.text)}; id = {', '.join(self.id) or 'a hash of the row'}"


def as_document(line: bytes, layouts: Sequence[RowLayout]) -> tuple[bytes, str, str] | str:
    """A JSON line as a document: its JSON, id and text; or, in words, why it is none.

    What has strings `id` and `text` is a document already and stays as it is, byte for byte.
    """
    try:
        fields = _FIELDS.decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return fault(line, required=()) or "invalid JSON"
    own_id, own_text = _string(fields.get("id")), _string(fields.get("text"))
    if own_id is not None and own_text is not None:
        problem = fault(line)
        return problem if problem else (line, own_id, own_text)
    for layout in layouts:
        texts = [_string(fields.get(name)) for name in layout.text]
        parts = [_name(fields.get(name)) for name in layout.id]
        if None in texts or None in parts:
            continue
        id = "/".join(filter(None, parts)) if parts else hashlib.sha256(line).hexdigest()[:_ID_DIGITS]
        text = "\n".join(one for one in texts if one is not None)
        document = _ENCODER.encode({"id": id, "text": text, "metadata": msgspec.Raw(line)})
        problem = fault(document)
        return problem if problem else (document, id, text)
    wanted = " or ".join(", ".join((*layout.text, *layout.id)) for layout in layouts)
    return f"neither a document (strings `id`, `text`) nor a row with {wanted}; fields: {', '.join(list(fields)[:12]) or 'none'}"


def _string(value: msgspec.Raw | None) -> str | None:
    """The JSON string `value`; None where it is anything else."""
    if value is None or bytes(value)[:1] != b'"':
        return None
    try:
        return _STRING.decode(value)
    except (msgspec.MsgspecError, UnicodeError):
        return None


def _name(value: msgspec.Raw | None) -> str | None:
    """A JSON string or whole number as a part of an id."""
    text = _string(value)
    if text is not None or value is None:
        return text
    try:
        return str(_NUMBER.decode(value))
    except msgspec.MsgspecError:
        return None
