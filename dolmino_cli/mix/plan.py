"""What a manifest takes of each source: exact arithmetic over token counts, no files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.manifest import Manifest, exact

# Sources of which some ask for a Mix % and some for a Source % rarely add up to the last token; this far off, they contradict.
_TOTAL_TOLERANCE = Fraction(1, 1000)


@dataclass(frozen=True, kw_only=True)
class Population:
    """What a source holds. `kind` says where the numbers come from: its token arrays, or a published table."""

    tokens: int
    documents: int | None
    kind: Literal["arrays", "published"]


@dataclass(frozen=True, kw_only=True)
class PlannedSource:
    """One row of a plan. Fractions are exact; percents are of 100."""

    name: str
    available: Population
    tokens: int
    """Tokens to take, already scaled."""
    mix_tokens: int
    """Tokens to take of all sources."""
    expected_mix_percent: Fraction | None

    @property
    def source_percent(self) -> Fraction:
        """Tokens taken / tokens of the source x 100."""
        return Fraction(100 * self.tokens, self.available.tokens)

    @property
    def epochs(self) -> Fraction:
        """How many times an average document of the source is seen."""
        return Fraction(self.tokens, self.available.tokens)

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

    @property
    def tokens(self) -> int:
        """Tokens of the whole mix."""
        return sum(source.tokens for source in self.sources)


def plan(manifest: Manifest, populations: Mapping[str, Population], *, scale: float = 1.0) -> MixPlan:
    """Tokens to take of every source, each times `scale`.

    A share that is no whole number of tokens is rounded to the nearest, half up; where all sources ask for a Mix %, the
    total is met exactly (largest remainder, ties to the earlier source). Raises ConfigError for a source without
    population or without tokens, and for shares that contradict `total_tokens`.
    """
    if not 0 < scale < float("inf"):
        raise ConfigError(f"scale is {scale}; it must be more than 0 (1 is the mix as the manifest says it)")
    for name in manifest.sources:
        if name not in populations:
            raise ConfigError(f"source {name!r} has neither token arrays nor published tokens; give one of them")
        if populations[name].tokens <= 0:
            raise ConfigError(f"source {name!r} has no tokens in its {populations[name].kind}; nothing can be taken of it")
    exact_tokens = _exact_tokens(manifest, populations, exact(scale))
    if all(source.mix_percent is not None for source in manifest.sources.values()):
        taken = _largest_remainder(exact_tokens, _round_half_up(sum(exact_tokens.values(), Fraction(0))))
    else:
        taken = {name: _round_half_up(tokens) for name, tokens in exact_tokens.items()}
    mix_tokens = sum(taken.values())
    if mix_tokens == 0:
        raise ConfigError(f"scale {scale:g} leaves no token of any source of {manifest.name!r}; use a larger one")
    published = manifest.expect.mix_percent if manifest.expect else {}
    rows = tuple(
        PlannedSource(
            name=name,
            available=populations[name],
            tokens=tokens,
            mix_tokens=mix_tokens,
            expected_mix_percent=exact(published[name]) if name in published else None,
        )
        for name, tokens in taken.items()
    )
    return MixPlan(name=manifest.name, scale=scale, sources=rows)


def _exact_tokens(manifest: Manifest, populations: Mapping[str, Population], scale: Fraction) -> dict[str, Fraction]:
    tokens: dict[str, Fraction] = {}
    for name, source in manifest.sources.items():
        if source.source_percent is not None:
            tokens[name] = populations[name].tokens * exact(source.source_percent) / 100
        elif source.mix_percent is not None:
            assert manifest.total_tokens is not None
            tokens[name] = manifest.total_tokens * exact(source.mix_percent) / 100
        else:
            assert source.tokens is not None
            tokens[name] = Fraction(source.tokens)
    total = sum(tokens.values(), Fraction(0))
    if manifest.total_tokens is not None and abs(total - manifest.total_tokens) > manifest.total_tokens * _TOTAL_TOLERANCE:
        raise ConfigError(
            f"the sources of {manifest.name!r} take {_round_half_up(total):,} tokens in all, total_tokens says"
            f" {manifest.total_tokens:,}; change total_tokens or a share so that they agree within 0.1 %"
        )
    return {name: wanted * scale for name, wanted in tokens.items()}


def _round_half_up(value: Fraction) -> int:
    return int((2 * value.numerator + value.denominator) // (2 * value.denominator))


def _largest_remainder(exact_tokens: Mapping[str, Fraction], total: int) -> dict[str, int]:
    """Whole numbers that sum to `total`, each the floor of its exact value or one more."""
    floors = {name: tokens.numerator // tokens.denominator for name, tokens in exact_tokens.items()}
    by_remainder = sorted(exact_tokens, key=lambda name: floors[name] - exact_tokens[name])  # stable: ties keep their order
    lifted = set(by_remainder[: total - sum(floors.values())])
    return {name: floor + (name in lifted) for name, floor in floors.items()}
