"""Text with places for a document's fields: `{text}`, `{id}`, `{metadata.persona}`. Plain substitution, nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dolmino_cli.errors import ConfigError

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_FIELD = re.compile(r"text|id|metadata(\.[\w-]+)+")


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A text cut at its places: `literals[0] fields[0] literals[1] ... literals[-1]`."""

    literals: tuple[str, ...]
    fields: tuple[str, ...]

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with each place taken by its value. Braces in a value are just braces."""
        filled = [self.literals[0]]
        for field, literal in zip(self.fields, self.literals[1:], strict=True):
            filled += (values[field], literal)
        return "".join(filled)


def parse(text: str, *, also: Sequence[str] = ()) -> Pattern:
    """Cut `text` at its places. `{{` and `}}` stand for single braces.

    Raises ConfigError for a place that is no field of a document and not among the names in `also`.
    """
    literals, fields, end = [""], list[str](), 0
    for piece in _PIECE.finditer(text):
        literals[-1] += text[end : piece.start()]
        end = piece.end()
        name = piece.group(1)
        if name is None:
            literals[-1] += piece.group()[0]
        elif name in also or _FIELD.fullmatch(name):
            fields.append(name)
            literals.append("")
        else:
            allowed = ", ".join(f"{{{one}}}" for one in ("text", "id", "metadata.NAME", *also))
            advice = "braces that are meant as such are doubled: {{ }}"
            raise ConfigError(f"unknown place {piece.group()!r}; allowed: {allowed}; {advice}")
    literals[-1] += text[end:]
    return Pattern(literals=tuple(literals), fields=tuple(fields))
