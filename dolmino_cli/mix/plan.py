"""What a manifest takes of each source: exact arithmetic over token counts, no files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.manifest import Manifest, group_names
from dolmino_cli.mix.share import exact
from dolmino_cli.mix.solve import apportion, solve

_TOO_MANY_TOKENS = 10**30  # nothing real, and floats still hold it


@dataclass(frozen=True, kw_only=True)
class Population:
    """What a source holds. `kind` says where the numbers come from: its token arrays, or a published table.

    `within` is half the last printed digit of a published count of tokens; `bytes` are those of the documents, where known.
    """

    tokens: int
    documents: int | None
    kind: Literal["arrays", "published"]
    within: int = 0
    bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class PlannedSource:
    """One row of a plan. Fractions are exact; percents are of 100, None where the source's size is not known."""

    name: str
    available: Population | None
    tokens: int
    """Tokens to take, already scaled."""
    mix_tokens: int
    """Tokens to take of all sources."""
    expected_mix_percent: Fraction | None

    @property
    def epochs(self) -> Fraction | None:
        """How many times an average document of the source is seen."""
        return None if self.available is None else Fraction(self.tokens, self.available.tokens)

    @property
    def source_percent(self) -> Fraction | None:
        """Tokens taken / tokens of the source x 100."""
        return None if self.epochs is None else 100 * self.epochs

    @property
    def mix_percent(self) -> Fraction:
        """Tokens taken / tokens of the mix x 100."""
        return Fraction(100 * self.tokens, self.mix_tokens)

    @property
    def mix_percent_difference(self) -> Fraction | None:
        """Planned minus published Mix %, in percentage points."""
        return None if self.expected_mix_percent is None else self.mix_percent - self.expected_mix_percent


@dataclass(frozen=True, kw_only=True)
class MixPlan:
    """The plan of a mix, one row per source in the manifest's order."""

    name: str
    scale: float
    sources: tuple[PlannedSource, ...]
    expected_groups: Mapping[str, Fraction]
    """The published Mix % of groups."""
    expected_tokens: int | None = None
    """The published size of the whole mix; None where there is none, and at a scale."""

    @property
    def tokens(self) -> int:
        """Tokens of the whole mix."""
        return sum(source.tokens for source in self.sources)

    @property
    def groups(self) -> tuple[PlannedSource, ...]:
        """Each group of sources as if it were one, outer before inner."""
        return tuple(self._group(name) for name in group_names(source.name for source in self.sources))

    @property
    def left_out(self) -> str | None:
        """A line for people that names the sources of which a scale leaves no token; None where there are none."""
        none = [source.name for source in self.sources if source.tokens == 0]
        what = f"nothing is taken of {', '.join(none)}: at scale {self.scale:g} less than half a token is left of it"
        return what if none else None

    def _group(self, name: str) -> PlannedSource:
        members = [source for source in self.sources if source.name.startswith(name + "/")]
        return PlannedSource(
            name=name,
            available=_together([source.available for source in members]),
            tokens=sum(source.tokens for source in members),
            mix_tokens=self.tokens,
            expected_mix_percent=self.expected_groups.get(name),
        )


def plan(manifest: Manifest, populations: Mapping[str, Population], *, scale: float = 1.0) -> MixPlan:
    """Tokens to take of every source, each times `scale`, in whole numbers by largest remainder.

    A source of unknown size can be planned where its share needs none. Raises ConfigError for a source without tokens, for
    shares and bounds that contradict each other or `total_tokens`, and for a scale that passes a source's `max_epochs`.
    """
    if not 0 < scale < float("inf"):
        raise ConfigError(f"scale is {scale}; it must be more than 0 (1 is the mix as the manifest says it)")
    for name in manifest.sources:
        if name in populations and populations[name].tokens <= 0:
            raise ConfigError(f"source {name!r} has no tokens in its {populations[name].kind}; nothing can be taken of it")
    wanted = solve(manifest, {name: population.tokens for name, population in populations.items()})
    _check_caps(manifest, populations, wanted, scale)
    most = {
        name: exact(source.max_epochs) * populations[name].tokens
        for name, source in manifest.sources.items()
        if source.max_epochs is not None
    }
    taken = apportion({name: tokens * exact(scale) for name, tokens in wanted.items()}, most)
    mix_tokens = sum(taken.values())
    if mix_tokens == 0:
        cause, remedy = ("the shares leave", "raise one") if scale == 1 else (f"scale {scale:g} leaves", "use a larger one")
        raise ConfigError(f"{cause} no token of any source of {manifest.name!r}; {remedy}")
    if mix_tokens >= _TOO_MANY_TOKENS:
        raise ConfigError(f"{manifest.name!r} would take a {len(str(mix_tokens))}-digit number of tokens; take less")
    published = {name: exact(percent) for name, percent in (manifest.expect.mix_percent if manifest.expect else {}).items()}
    rows = tuple(
        PlannedSource(
            name=name,
            available=populations.get(name),
            tokens=tokens,
            mix_tokens=mix_tokens,
            expected_mix_percent=published.get(name),
        )
        for name, tokens in taken.items()
    )
    groups = {name: percent for name, percent in published.items() if name not in manifest.sources}
    whole = manifest.expect.tokens if manifest.expect is not None and scale == 1 else None
    return MixPlan(name=manifest.name, scale=scale, sources=rows, expected_groups=groups, expected_tokens=whole)


def _check_caps(manifest: Manifest, populations: Mapping[str, Population], wanted: Mapping[str, Fraction], scale: float) -> None:
    for name, source in manifest.sources.items():
        if source.max_epochs is None:
            continue
        epochs = wanted[name] * exact(scale) / populations[name].tokens
        if epochs > exact(source.max_epochs):
            raise ConfigError(
                f"infeasible: scale {scale:g} takes {name} {float(epochs):.4g} times, its max_epochs is {source.max_epochs:g};"
                " use a smaller scale, or raise max_epochs"
            )


def _together(populations: list[Population | None]) -> Population | None:
    known = [population for population in populations if population is not None]
    if len(known) < len(populations):
        return None
    return Population(
        tokens=sum(population.tokens for population in known),
        documents=_sum_of([population.documents for population in known]),
        kind="arrays" if all(population.kind == "arrays" for population in known) else "published",
        within=sum(population.within for population in known),
        bytes=_sum_of([population.bytes for population in known]),
    )


def _sum_of(numbers: list[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None
