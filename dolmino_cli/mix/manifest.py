"""The manifest: what a person decides about a mix, and nothing that a tool can find out."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from dolmino_cli import strict_yaml
from dolmino_cli.errors import ConfigError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*\Z")
_PERCENT_SUM_TOLERANCE = Fraction(1, 10**6)  # what decimal places such as 33.3333333 may leave over


def exact(number: float) -> Fraction:
    """The decimal that was written: 3.23 is 323/100, not the nearest binary fraction."""
    return Fraction(repr(number))


@dataclass(frozen=True, kw_only=True)
class Published:
    """The size of a source as a table printed it: what a plan uses until token arrays exist."""

    tokens: int
    documents: int | None = None

    def __post_init__(self) -> None:
        if self.tokens <= 0:
            raise ConfigError(f"published tokens is {self.tokens}; it must be more than 0")
        if self.documents is not None and self.documents <= 0:
            raise ConfigError(f"published documents is {self.documents}; it must be more than 0")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One source of a mix: how much of it is taken, stated in exactly one of three ways.

    `source_percent` = tokens taken / tokens of the source x 100 (400 is four passes); `mix_percent` = tokens taken /
    tokens of the mix x 100, of the manifest's `total_tokens`; `tokens` = tokens taken.
    `arrays` is the folder or s3:// prefix of its token arrays; `reference` says where the numbers come from.
    """

    arrays: str | None = None
    source_percent: float | None = None
    mix_percent: float | None = None
    tokens: int | None = None
    published: Published | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        shares = {"source_percent": self.source_percent, "mix_percent": self.mix_percent, "tokens": self.tokens}
        given = [name for name, value in shares.items() if value is not None]
        if len(given) != 1:
            raise ConfigError(f"{' and '.join(given) or 'no share'} given; give exactly one of {', '.join(shares)}")
        value = shares[given[0]]
        assert value is not None
        if not math.isfinite(value) or value <= 0:
            raise ConfigError(f"{given[0]} is {value}; it must be more than 0 (leave a source out to take none of it)")
        if self.mix_percent is not None and self.mix_percent > 100:
            raise ConfigError(f"mix_percent is {self.mix_percent}; a source is at most 100 % of its mix")


@dataclass(frozen=True, kw_only=True)
class Expect:
    """What was published about the mix, to be compared with what a plan computes; nothing is made to fit it."""

    mix_percent: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One mix. Valid on construction: what cannot be planned raises ConfigError.

    `tokenizer` names the tokenizer of all its arrays; `seed` decides, with each source's name and document ids, which
    documents are taken and in which order they stand. `total_tokens` is needed by, and only by, `mix_percent`.
    """

    name: str
    tokenizer: str
    seed: int
    sources: dict[str, Source]
    total_tokens: int | None = None
    expect: Expect | None = None
    description: str | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.match(self.name) or "/" in self.name:
            raise ConfigError(f"name {self.name!r} is not allowed; use letters, digits, '.', '_' and '-' (it names files)")
        if not self.sources:
            raise ConfigError("sources is empty; name at least one")
        for name in self.sources:
            if not _NAME.match(name):
                raise ConfigError(f"source {name!r} is not allowed; use letters, digits, '.', '_', '-', and '/' between them")
        if self.expect is not None and (unknown := sorted(self.expect.mix_percent.keys() - self.sources.keys())):
            raise ConfigError(f"expect.mix_percent names {', '.join(unknown)}; the sources are {', '.join(self.sources)}")
        self._check_total()

    def _check_total(self) -> None:
        asked = [exact(source.mix_percent) for source in self.sources.values() if source.mix_percent is not None]
        if self.total_tokens is not None and self.total_tokens <= 0:
            raise ConfigError(f"total_tokens is {self.total_tokens}; it must be more than 0")
        if asked and self.total_tokens is None:
            raise ConfigError("mix_percent is a share of total_tokens, which is missing; give total_tokens")
        if not asked and self.total_tokens is not None:
            raise ConfigError("total_tokens is given but no source has a mix_percent, so nothing uses it; leave it out")
        difference = sum(asked, Fraction(0)) - 100
        if len(asked) == len(self.sources) and abs(difference) > _PERCENT_SUM_TOLERANCE:
            raise ConfigError(f"the mix_percent of the sources sum to {float(difference + 100):g}; they must sum to 100")
        if len(asked) < len(self.sources) and difference > 0:
            raise ConfigError(f"the mix_percent of the sources sum to {float(difference + 100):g}; more than the whole mix")


def load(path: Path) -> Manifest:
    """The manifest in a YAML file. Raises ConfigError with file:line and key."""
    manifest: Manifest = strict_yaml.load(path, Manifest)
    return manifest
