"""What a printed number may have been before it was rounded: how far a plan can be off without contradicting a table."""

from __future__ import annotations

from dataclasses import dataclass
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
    """What rounds to `number` at the decimals it is written with: 47.2 is 47.15 to 47.25, 2.45 is 2.445 to 2.455."""
    decimals = repr(number).partition(".")[2]
    half = Fraction(1, 2 * 10 ** len(decimals))
    return Interval(low=exact(number) - half, high=exact(number) + half)


def possible_tokens(manifest: Manifest, plan: MixPlan) -> dict[str, Interval]:
    """What each source may give when its printed size and its printed Source % are only known as far as they are printed.

    Whole passes (100, 200, 400) are exact; so are shares in tokens, and sizes counted from arrays.
    """
    shares = {name: claim.share for claim in manifest.claims() for name in claim.sources}
    found = {}
    for source in plan.sources:
        low = high = Fraction(source.tokens)
        percent = shares[source.name].source_percent
        if percent is not None and source.available is not None:
            held, within = source.available.tokens, source.available.within
            share = Interval(low=exact(percent), high=exact(percent)) if percent % 100 == 0 else as_printed(percent)
            low = low * Fraction(held - within, held) * share.low / exact(percent)
            high = high * Fraction(held + within, held) * share.high / exact(percent)
        found[source.name] = Interval(low=low, high=high)
    return found


def possible_mix_percent(row: PlannedSource, tokens: dict[str, Interval]) -> Interval:
    """The Mix % that a source or group may have, all sources being anything in their intervals."""
    own = [name for name in tokens if name == row.name or name.startswith(row.name + "/")]
    low = sum((tokens[name].low for name in own), Fraction(0))
    high = sum((tokens[name].high for name in own), Fraction(0))
    others_low = sum((interval.low for name, interval in tokens.items() if name not in own), Fraction(0))
    others_high = sum((interval.high for name, interval in tokens.items() if name not in own), Fraction(0))
    return Interval(low=100 * low / (low + others_high), high=100 * high / (high + others_low))
