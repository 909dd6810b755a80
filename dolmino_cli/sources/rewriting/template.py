"""Template: what is asked of which model about a document, and how its answer becomes a document. `filters/rewrites/*.yaml`."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from dolmino_cli import strict_yaml
from dolmino_cli.bundled import find
from dolmino_cli.errors import ConfigError
from dolmino_cli.kernels.keyed_hash import derive_key
from dolmino_cli.shards.ledger import recipe_hash
from dolmino_cli.shards.rows import RowLayout
from dolmino_cli.sources.rewriting.placeholders import Pattern, parse

_INTO = re.compile(r"metadata\.[\w-]+")
_SEED_BITS = 31  # what every server takes: some read it as a signed 32-bit number


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the model draws its answer; sent as the request's parameters of the same names, those that are given."""

    max_tokens: int
    """Most tokens of an answer. One that reaches it is dropped as `cut_off`."""
    temperature: float
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    """Every request's own seed is a hash of this, the template's name, the document's id and the copy's number."""

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ConfigError(f"max_tokens {self.max_tokens}; allowed: 1 or more")
        if not 0 <= self.temperature <= 2:
            raise ConfigError(f"temperature {self.temperature}; allowed: 0 to 2")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p {self.top_p}; allowed: more than 0, at most 1")


@dataclass(frozen=True, kw_only=True)
class Accept:
    """Which answers are kept, of those that are whole."""

    min_characters: int = 1
    """Of the answer without white space around it; below: `too_short`, none at all: `empty`."""
    contains: tuple[str, ...] = ()
    """Texts that an answer must all have, letters of any case; else `text_missing`."""
    allowed: tuple[str, ...] = ()
    """The only answers there may be, but for case and a full stop; else `not_allowed`."""


@dataclass(frozen=True, kw_only=True)
class Template:
    """One way to have documents rewritten, made up or labelled. Equal templates ask for the same things."""

    name: str
    model: str
    """The model that the published data was made with; `--model` asks another."""
    prompt: str
    """The user's message, with places for the document's fields."""
    sampling: Sampling
    system: str | None = None
    accept: Accept = field(default_factory=Accept)
    document: str = "{answer}"
    """The new document's text: `{answer}` and the fields of the old one."""
    into: str | None = None
    """`metadata.NAME`: the answer goes there, and the document keeps its id and text."""
    rows: tuple[RowLayout, ...] = ()
    """How a publisher's rows become the documents that are asked about."""
    source: str = field(default="", compare=False)
    licence: str = field(default="", compare=False)
    reference: str = field(default="", compare=False)
    notes: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for text in (self.system_pattern, self.prompt_pattern, self.document_pattern):
            assert text is not None  # built: a wrong place raises here
        if not self.prompt_pattern.fields:
            raise ConfigError("prompt has no place for anything of the document, such as {text}: all requests would be the same")
        if "answer" not in self.document_pattern.fields:
            raise ConfigError("document has no {answer}: nothing of what the model says would be kept")
        if self.into is not None and not _INTO.fullmatch(self.into):
            raise ConfigError(f"into {self.into!r}; allowed: metadata.NAME")
        if self.into == "metadata.rewrites":
            raise ConfigError("into 'metadata.rewrites'; that is where the documents' provenance stands: give another name")
        if self.into is not None and self.document != "{answer}":
            raise ConfigError("document and into exclude each other: with into the document keeps its text")

    @cached_property
    def system_pattern(self) -> Pattern:
        """`system`, cut at its places."""
        return parse(self.system or "")

    @cached_property
    def prompt_pattern(self) -> Pattern:
        """`prompt`, cut at its places."""
        return parse(self.prompt)

    @cached_property
    def document_pattern(self) -> Pattern:
        """`document`, cut at its places."""
        return parse(self.document, also=("answer",))

    @property
    def fields(self) -> tuple[str, ...]:
        """The document's fields that are needed, sorted."""
        needed = {*self.system_pattern.fields, *self.prompt_pattern.fields, *self.document_pattern.fields}
        return tuple(sorted(needed - {"answer"}))

    def resolved(self) -> dict[str, Any]:
        """All that decides requests and documents, JSON-able."""
        return {one.name: value for one, value in zip(dataclasses.fields(self), _values(self), strict=True) if one.compare}

    @property
    def sha256(self) -> str:
        """Hash of `resolved()`."""
        return recipe_hash(self.resolved())

    def seed_of(self, id: str, copy: int) -> int | None:
        """The seed of the request for copy `copy` of document `id`."""
        if self.sampling.seed is None:
            return None
        key = derive_key(self.sampling.seed, "rewrite", self.name, id, copy)
        return int.from_bytes(key[:8], "little") >> (64 - _SEED_BITS)


def _values(template: Template) -> list[Any]:
    as_dict = dataclasses.asdict(template)
    return [as_dict[one.name] for one in dataclasses.fields(template)]


def load_template(name: str) -> Template:
    """The bundled template `name`, or the file that it is the path of. Raises ConfigError naming file, line and key."""
    path = find("filters/rewrites", name)
    node = strict_yaml.compose(path)
    entries = strict_yaml.mapping(node, str(path), "")
    for key, also in {"system": (), "prompt": (), "document": ("answer",)}.items():
        if key in entries:
            try:
                parse(str(entries[key].value), also=also)
            except ConfigError as error:
                strict_yaml.fail(entries[key], str(path), key, str(error))
    template: Template = strict_yaml.build(node, Template, str(path))
    return template
