"""From shares to tokens: what every source gives, exactly, so that all shares, bounds and the total hold together.

Stated sizes (`source_percent`, `tokens`) come first, then `mix_percent` of the total, then what is left goes to the `rest`.
Sources that divide one amount among them do so in proportion to their weights; one that meets its `max_epochs` or
`min_tokens` stays there and the others make up the difference. Nothing is normalised: what cannot hold is an error that
names the bound in the way.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.manifest import Claim, Manifest
from dolmino_cli.mix.share import exact

# Sources of which some ask for a Mix % and some for a Source % rarely add up to the last token; this far off, they contradict.
_TOTAL_TOLERANCE = Fraction(1, 1000)


@dataclass(frozen=True, kw_only=True)
class _Taker:
    """One of the sources that divide an amount among them."""

    name: str
    weight: Fraction
    least: Fraction
    most: Fraction | None
    bounds: str
    """The bounds in words, for an error."""

    def at(self, level: Fraction) -> Fraction:
        """Its tokens when everybody without bounds gets `level` times the weight."""
        wanted = max(self.least, self.weight * level)
        return wanted if self.most is None else min(wanted, self.most)


def solve(manifest: Manifest, populations: Mapping[str, int]) -> dict[str, Fraction]:
    """Tokens to take of every source, in the manifest's order; `populations` are tokens, where they are known.

    Raises ConfigError naming the shares or bounds that contradict each other, or the source whose size must be known.
    """
    solver = _Solver(manifest, populations)
    claims = manifest.claims()
    taken: dict[str, Fraction] = {}
    for claim in claims:
        if claim.share.source_percent is not None:
            taken |= solver.passes(claim, exact(claim.share.source_percent))
        elif claim.share.tokens is not None:
            taken |= solver.divided(claim, Fraction(claim.share.tokens))
    percents = {claim: exact(claim.share.mix_percent) for claim in claims if claim.share.mix_percent is not None}
    total = _total(manifest, sum(taken.values(), Fraction(0)), sum(percents.values(), Fraction(0)))
    for claim, percent in percents.items():
        taken |= solver.divided(claim, total * percent / 100)
    left = total - sum(taken.values(), Fraction(0))
    if rest := [claim for claim in claims if claim.share.rest is not None]:
        taken |= solver.rest(rest, left)
    elif manifest.total_tokens is not None and abs(left) > total * _TOTAL_TOLERANCE:
        raise ConfigError(
            f"the sources of {manifest.name!r} take {round_half_up(total - left):,} tokens in all, total_tokens says"
            f" {manifest.total_tokens:,}; change total_tokens or a share so that they agree within 0.1 %"
        )
    return {name: taken[name] for name in manifest.sources}


def _total(manifest: Manifest, stated: Fraction, percent: Fraction) -> Fraction:
    """Of the manifest, else what makes the stated sizes the share that `percent` leaves."""
    return Fraction(manifest.total_tokens) if manifest.total_tokens is not None else stated / (1 - percent / 100)


class _Solver:
    def __init__(self, manifest: Manifest, populations: Mapping[str, int]) -> None:
        self.manifest = manifest
        self.populations = populations

    def passes(self, claim: Claim, percent: Fraction) -> dict[str, Fraction]:
        """The same passes over each of the claim's sources."""
        taken = {name: self._held(name, "source_percent is a share of it") * percent / 100 for name in claim.sources}
        for name, tokens in taken.items():
            _divide(tokens, [self._taker(name, Fraction(1))], f"{name} (source_percent: {float(percent):g})")
        return taken

    def divided(self, claim: Claim, amount: Fraction) -> dict[str, Fraction]:
        """An amount divided among the claim's sources in proportion to what they hold."""
        return _divide(amount, self._takers(claim, Fraction(1)), f"{claim.name} ({claim.share.says()})")

    def rest(self, claims: Iterable[Claim], amount: Fraction) -> dict[str, Fraction]:
        """What is left divided among all that take the rest, in proportion to their weights."""
        takers = [taker for claim in claims for taker in self._takers(claim, exact(claim.share.rest or 0))]
        if amount <= 0:
            names = ", ".join(taker.name for taker in takers)
            raise ConfigError(
                f"infeasible: the other sources take all {self.manifest.total_tokens:,} tokens of the mix and"
                f" {round_half_up(-amount):,} more; nothing is left for {names}; raise total_tokens or lower a share"
            )
        return _divide(amount, takers, "the rest of total_tokens")

    def _takers(self, claim: Claim, weight: Fraction) -> list[_Taker]:
        if len(claim.sources) == 1:
            return [self._taker(claim.sources[0], weight)]
        held = {name: self._held(name, f"group {claim.name} divides its share in proportion to it") for name in claim.sources}
        return [self._taker(name, weight * held[name] / sum(held.values())) for name in claim.sources]

    def _taker(self, name: str, weight: Fraction) -> _Taker:
        source = self.manifest.sources[name]
        most, bounds = None, "no bound"
        if source.max_epochs is not None:
            held = self._held(name, "max_epochs is a bound on it")
            most = held * exact(source.max_epochs)
            bounds = f"max_epochs {source.max_epochs:g} of {held:,} tokens"
        if source.min_tokens is not None:
            bounds = f"min_tokens {source.min_tokens:,}" + (f", {bounds}" if most is not None else "")
            if most is not None and most < source.min_tokens:
                raise ConfigError(f"infeasible: the bounds of {name} contradict each other ({bounds}); change one")
        return _Taker(name=name, weight=weight, least=Fraction(source.min_tokens or 0), most=most, bounds=bounds)

    def _held(self, name: str, why: str) -> int:
        if name not in self.populations:
            raise ConfigError(f"source {name!r} has neither token arrays nor published tokens, and {why}; give one of them")
        return self.populations[name]


def _divide(amount: Fraction, takers: list[_Taker], what: str) -> dict[str, Fraction]:
    """`amount` in proportion to weights within bounds. Raises ConfigError when the bounds leave no way."""
    least = sum((taker.least for taker in takers), Fraction(0))
    most = sum((taker.most for taker in takers if taker.most is not None), Fraction(0))
    if amount < least:
        raise _infeasible(amount, least, takers, what, "at least", "lower min_tokens, or take more")
    if all(taker.most is not None for taker in takers) and amount > most:
        raise _infeasible(amount, most, takers, what, "at most", "raise max_epochs, add a source, or take less")
    # What all get together rises with the level, in straight lines between the levels at which one meets a bound.
    bounds = [bound / taker.weight for taker in takers for bound in (taker.least, taker.most) if bound is not None]
    levels = sorted({Fraction(0), *bounds})
    low = levels[bisect_right(levels, amount, key=lambda level: sum((taker.at(level) for taker in takers), Fraction(0))) - 1]
    free = [
        taker for taker in takers if taker.weight * low >= taker.least and (taker.most is None or taker.weight * low < taker.most)
    ]
    got = sum((taker.at(low) for taker in takers), Fraction(0))
    level = low if got == amount else low + (amount - got) / sum((taker.weight for taker in free), Fraction(0))
    return {taker.name: taker.at(level) for taker in takers}


def _infeasible(amount: Fraction, bound: Fraction, takers: list[_Taker], what: str, side: str, remedy: str) -> ConfigError:
    bounds = "; ".join(f"{taker.name}: {taker.bounds}" for taker in takers)
    asked, allowed = round_half_up(amount), round_half_up(bound)
    return ConfigError(f"infeasible: {what} is {asked:,} tokens, its bounds allow {side} {allowed:,} ({bounds}); {remedy}")


def apportion(exact_tokens: Mapping[str, Fraction], most: Mapping[str, Fraction] | None = None) -> dict[str, int]:
    """Whole numbers, each the floor of its exact value or one more, that sum to the rounded sum (Hamilton's largest remainder).

    Ties go to the earlier source. One that would pass its bound in `most` is lifted last: a bound that is no whole number is
    passed, by less than a token, only where no other source could be.
    """
    total = round_half_up(sum(exact_tokens.values(), Fraction(0)))
    floors = {name: tokens.numerator // tokens.denominator for name, tokens in exact_tokens.items()}
    bound = {name: floors[name] + 1 > limit for name, limit in (most or {}).items()}
    by_remainder = sorted(  # stable: ties keep their order
        exact_tokens, key=lambda name: (bound.get(name, False), floors[name] - exact_tokens[name])
    )
    lifted = set(by_remainder[: total - sum(floors.values())])
    return {name: floor + (name in lifted) for name, floor in floors.items()}


def round_half_up(value: Fraction) -> int:
    """The nearest whole number, the higher of two."""
    return int((2 * value.numerator + value.denominator) // (2 * value.denominator))
