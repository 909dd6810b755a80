"""What a printed number may have been before it was rounded: how far a plan can be off without contradicting a table."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from dolmino_cli.mix.manifest import Manifest
from dolmino_cli.mix.plan import MixPlan, PlannedSource
from dolmino_cli.mix.share import exact


@dataclass(frozen=True, kw_only=True)
class Interval:
    """All values from `low` to `high`, both included."""

    low: Fraction
    high: Fraction

    def meets(self, other: Interval) -> bool:
        """Is any value in both?"""
        return self.low <= other.high and other.low <= self.high


def as_printed(number: float) -> Interval:
    """What rounds to `number` at the decimals it is written with: 47.2 is 47.15 to 47.25, 17 is 16.5 to 17.5.

    17.0 cannot be told from 17: it is taken as the coarser one, so that no rounding is called a contradiction.
    """
    decimals = f"{Decimal(repr(number)):f}".partition(".")[2].rstrip("0")
    half = Fraction(1, 2 * 10 ** len(decimals))
    return Interval(low=exact(number) - half, high=exact(number) + half)


def possible_tokens(manifest: Manifest, plan: MixPlan) -> dict[str, Interval]:
    """What each source may give when its printed size, Source % or Mix % is only known as far as it is printed.

    Whole passes (100, 200, 400) are exact; so are shares in tokens, and sizes counted from arrays. What takes the rest may be off
    by all that the others may be.
    """
    shares = {name: claim.share for claim in manifest.claims() for name in claim.sources}
    found = {}
    for source in plan.sources:
        low = high = Fraction(source.tokens)
        percent, part = shares[source.name].source_percent, shares[source.name].mix_percent
        if part is not None:
            low, high = low * as_printed(part).low / exact(part), high * as_printed(part).high / exact(part)
        if percent is not None and source.available is not None:
            held, within = source.available.tokens, source.available.within
            share = Interval(low=exact(percent), high=exact(percent)) if percent % 100 == 0 else as_printed(percent)
            low = low * Fraction(held - within, held) * share.low / exact(percent)
            high = high * Fraction(held + within, held) * share.high / exact(percent)
        found[source.name] = Interval(low=low, high=high)
    rest = [source for source in plan.sources if shares[source.name].rest is not None]
    others = [interval for name, interval in found.items() if shares[name].rest is None]
    slack = Interval(
        low=plan.tokens - sum((interval.high for interval in others), Fraction(0)),
        high=plan.tokens - sum((interval.low for interval in others), Fraction(0)),
    )
    taken = sum(source.tokens for source in rest)
    for source in rest:
        found[source.name] = Interval(
            low=max(Fraction(0), slack.low * source.tokens / taken), high=slack.high * source.tokens / taken
        )
    return found


def possible_mix_percent(row: PlannedSource, tokens: dict[str, Interval]) -> Interval:
    """The Mix % that a source or group may have, all sources being anything in their intervals."""
    own = [name for name in tokens if name == row.name or name.startswith(row.name + "/")]
    low = sum((tokens[name].low for name in own), Fraction(0))
    high = sum((tokens[name].high for name in own), Fraction(0))
    others_low = sum((interval.low for name, interval in tokens.items() if name not in own), Fraction(0))
    others_high = sum((interval.high for name, interval in tokens.items() if name not in own), Fraction(0))
    return Interval(low=100 * low / (low + others_high), high=100 * high / (high + others_low))
