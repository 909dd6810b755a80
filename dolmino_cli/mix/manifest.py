"""The manifest: what a person decides about a mix, and nothing that a tool can find out."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from dolmino_cli import strict_yaml
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.share import KINDS, Share, exact
from dolmino_cli.mix.training import Training

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*\Z")
_PERCENT_SUM_TOLERANCE = Fraction(1, 10**6)  # what decimal places such as 33.3333333 may leave over


@dataclass(frozen=True, kw_only=True)
class Published:
    """The size of a source as a table printed it: what a plan uses until token arrays exist.

    `within` is half the last printed digit: 3.7B is {tokens: 3_700_000_000, within: 50_000_000}. `bytes` are those of its
    documents' records, uncompressed.
    """

    tokens: int
    within: int = 0
    documents: int | None = None
    bytes: int | None = None

    def __post_init__(self) -> None:
        for name in ("tokens", "documents", "bytes"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"published {name} is {value}; it must be more than 0")
        if not 0 <= self.within < self.tokens:
            raise ConfigError(
                f"published within is {self.within}; it is half the last digit of {self.tokens:,}, 0 for an exact count"
            )


@dataclass(frozen=True, kw_only=True)
class Source(Share):
    """One source of a mix: its share, and the bounds that no plan may leave.

    `arrays` is the folder or s3:// prefix of its token arrays; `max_epochs` the most passes, `min_tokens` the fewest tokens
    that are taken of it; `reference` says where the numbers come from.
    """

    arrays: str | None = None
    max_epochs: float | None = None
    min_tokens: int | None = None
    published: Published | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_epochs is not None and (not math.isfinite(self.max_epochs) or self.max_epochs <= 0):
            raise ConfigError(f"max_epochs is {self.max_epochs}; it must be more than 0")
        if self.min_tokens is not None and self.min_tokens <= 0:
            raise ConfigError(f"min_tokens is {self.min_tokens}; it must be more than 0")


@dataclass(frozen=True, kw_only=True)
class Group(Share):
    """The share of all sources below a name that state none themselves.

    `source_percent` holds for each of them; of `mix_percent`, `tokens` and `rest` each gives tokens in proportion to what
    it holds, so that all are seen equally often.
    """

    reference: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.given():
            raise ConfigError(f"no share given; give exactly one of {', '.join(KINDS)}")


@dataclass(frozen=True, kw_only=True)
class Expect:
    """What was published about the mix, to be compared with what a plan computes; nothing is made to fit it.

    `tokens` is the mix's total, `mix_percent` that of a source or of a group, as printed.
    """

    tokens: int | None = None
    mix_percent: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.tokens is not None and self.tokens <= 0:
            raise ConfigError(f"expect tokens is {self.tokens}; it must be more than 0")
        for name, percent in self.mix_percent.items():
            if not 0 <= percent <= 100:
                raise ConfigError(f"expect mix_percent of {name} is {percent}; it must be from 0 to 100")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One share and the sources that it is of: one source, or the members of a group that state none."""

    name: str
    share: Share
    sources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One mix. Valid on construction: what cannot be planned whatever the populations raises ConfigError.

    `tokenizer` names the tokenizer of all its arrays; `seed` decides, with each source's name and document ids, which
    documents are taken and in which order they stand. A source's name may be a path: `math/metamath` is of group `math`.
    `total_tokens` is what `mix_percent` and `rest` are shares of; without it, the sources of stated size are what the
    `mix_percent` of the others leave of 100. `nominal_tokens` is the size that the name says, `against` the bundled mix
    that this one is a variant of: both only for a plan's warnings.
    """

    name: str
    tokenizer: str
    seed: int
    sources: dict[str, Source]
    groups: dict[str, Group] = field(default_factory=dict)
    total_tokens: int | None = None
    nominal_tokens: int | None = None
    training: Training | None = None
    against: str | None = None
    expect: Expect | None = None
    description: str | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.match(self.name) or "/" in self.name:
            raise ConfigError(f"name {self.name!r} is not allowed; use letters, digits, '.', '_' and '-' (it names files)")
        if not self.sources:
            raise ConfigError("sources is empty; name at least one")
        for name in (*self.sources, *self.groups):
            if not _NAME.match(name):
                raise ConfigError(f"source {name!r} is not allowed; use letters, digits, '.', '_', '-', and '/' between them")
        for name in ("total_tokens", "nominal_tokens"):
            if (value := getattr(self, name)) is not None and value <= 0:
                raise ConfigError(f"{name} is {value}; it must be more than 0")
        self._check_names()
        self._check_total()

    def claims(self) -> tuple[Claim, ...]:
        """Every share once, in the order of the first source that it is of."""
        owners = {name: name if source.given() else group_of(name, self.groups) for name, source in self.sources.items()}
        if unstated := [name for name, owner in owners.items() if owner is None]:
            raise ConfigError(
                f"no share given for {', '.join(unstated)}; give exactly one of {', '.join(KINDS)}, or a group that has one"
            )
        shares: dict[str, Share] = {**self.groups, **{name: source for name, source in self.sources.items() if source.given()}}
        members: dict[str, list[str]] = {}
        for name, owner in owners.items():
            members.setdefault(owner or "", []).append(name)
        return tuple(Claim(name=owner, share=shares[owner], sources=tuple(names)) for owner, names in members.items())

    def _check_names(self) -> None:
        if both := [name for name in self.groups if name in self.sources]:
            raise ConfigError(f"{', '.join(both)} is a source and a group; a group is of sources below it: keep one of the two")
        outer = set(group_names(self.sources))
        for name in (name for name in self.sources if name in outer):
            inner = [other for other in self.sources if other.startswith(name + "/")]
            raise ConfigError(f"source {name!r} has others below it ({', '.join(inner)}); make it a group, or leave them out")
        used = {claim.name for claim in self.claims()}
        if idle := sorted(self.groups.keys() - used):
            raise ConfigError(f"group {', '.join(idle)} is the share of no source; the sources are {', '.join(self.sources)}")
        known = {*self.sources, *group_names(self.sources)}
        if self.expect is not None and (unknown := sorted(self.expect.mix_percent.keys() - known)):
            raise ConfigError(f"expect.mix_percent names {', '.join(unknown)}; the sources are {', '.join(self.sources)}")

    def _check_total(self) -> None:
        shares = [claim.share for claim in self.claims()]
        asked = [exact(share.mix_percent) for share in shares if share.mix_percent is not None]
        rest = any(share.rest is not None for share in shares)
        if self.total_tokens is None and rest:
            raise ConfigError("rest is what the others leave of total_tokens, which is missing; give total_tokens")
        if self.total_tokens is None and len(asked) == len(shares):
            raise ConfigError("mix_percent is a share of total_tokens, which is missing; give total_tokens")
        if self.total_tokens is not None and not asked and not rest:
            raise ConfigError(
                "total_tokens is given but no source has a mix_percent or takes the rest, so nothing uses it; leave it out"
            )
        difference = sum(asked, Fraction(0)) - 100
        if asked and len(asked) == len(shares) and abs(difference) > _PERCENT_SUM_TOLERANCE:
            raise ConfigError(f"the mix_percent of the sources sum to {float(difference + 100):g}; they must sum to 100")
        if len(asked) < len(shares) and difference >= 0:
            raise ConfigError(
                f"the mix_percent of the sources sum to {float(difference + 100):g}; nothing is left for the others"
            )


def group_of(name: str, groups: Iterable[str]) -> str | None:
    """The innermost of `groups` that a source is in: of `math/tinygsm-mind/two-students` rather tinygsm-mind than math."""
    return max((group for group in groups if name.startswith(group + "/")), key=len, default=None)


def group_names(sources: Iterable[str]) -> list[str]:
    """Every group that sources are in, outer before inner: `math`, `math/tinygsm-mind`."""
    found: dict[str, None] = {}
    for name in sources:
        parts = name.split("/")
        found.update({"/".join(parts[:depth]): None for depth in range(1, len(parts))})
    return list(found)


def load(path: Path) -> Manifest:
    """The manifest in a YAML file. Raises ConfigError with file:line and key."""
    manifest: Manifest = strict_yaml.load(path, Manifest)
    return manifest
