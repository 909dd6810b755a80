"""New values of one number of a problem: of the same kind, roundness and magnitude as the old."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random

from dolmino_cli.stages.renumber_graph import Given
from dolmino_cli.stages.renumber_numbers import Number

_SMALL = 12  # numbers up to here are drawn from the few around them, larger ones from a factor of them
_LOW_FACTOR, _HIGH_FACTOR = 0.6, 1.7

# The most that an amount of a unit is where it was not more before: a day has 24 hours in any problem.
_CEILINGS: dict[str, tuple[int, ...]] = {
    "hour": (12, 24),
    "minute": (60,),
    "second": (60,),
    "day": (7, 31),
    "month": (12,),
    "week": (4, 52),
    "year": (18, 110),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Amount:
    """Where the new values of a given may lie. All are multiples of `step`."""

    old: Fraction
    step: Fraction
    low: Fraction
    high: Fraction

    def draw(self, factor: float, random: Random) -> Fraction:
        """A value near `factor` times the old, another than the old one where there is one."""
        if self.old <= _SMALL and self.step == 1:
            low, high = max(self.low, self.old - 4), min(self.high, self.old + 6)
        else:
            middle = self.old * Fraction(round(factor * 100), 100)
            low, high = max(self.low, middle * Fraction(4, 5)), min(self.high, middle * Fraction(6, 5))
        first, last = math.ceil(low / self.step), math.floor(high / self.step)
        choices = max(1, last - first + 1)
        for _ in range(4):
            value = min(max((first + int(random.random() * choices)) * self.step, self.low), self.high)
            if value != self.old:
                break
        return value

    def admits(self, value: Fraction) -> bool:
        """Whether a calculated `value` will do; it need not be as round as a drawn one."""
        return self.low <= value <= self.high and (value.denominator == 1) == (self.old.denominator == 1)


def common_factor(random: Random) -> float:
    """By how much all numbers of a problem grow or shrink together, so that they keep their order mostly."""
    return _LOW_FACTOR + (_HIGH_FACTOR - _LOW_FACTOR) * random.random()


def amount(given: Given) -> Amount:
    """The new values that `given` may take; a fixed one keeps its own."""
    old = given.value
    if given.fixed:
        return Amount(old=old, step=Fraction(1), low=old, high=old)
    step = _step(old, given.mentions)
    if old.denominator > 1:
        low, high = (step, 1 - step) if old < 1 else (1 + step, 3 * old)
    else:
        low, high = Fraction(2), max(Fraction(9), 3 * old)
    if any(mention.percent for mention in given.mentions):
        high = min(high, Fraction(95)) if old < 100 else high
    for mention in given.mentions:
        high = min(high, ceiling(mention) or high)
    return Amount(old=old, step=step, low=min(low, old), high=max(high, old))


def ceiling(number: Number) -> Fraction | None:
    """The most that a number may become where its unit has a natural bound that it keeps now; None where it has none."""
    if number.percent:
        return Fraction(100) if number.value <= 100 else None
    bounds = _CEILINGS.get(number.unit.removesuffix("s"), ())
    return next((Fraction(bound) for bound in bounds if number.value <= bound), None)


def same_kind(old: Fraction, new: Fraction) -> bool:
    """Whether `new` can stand where `old` stood: nothing and one stay, wholes stay whole, shares stay below one.

    Decimals end after two places, or after four where the old one had more than two.
    """
    if old in (0, 1) or new <= 0 or old < 0:
        return new == old
    if old.denominator == 1:
        return new.denominator == 1 and new > 1
    places = 100 if 100 % old.denominator == 0 else 10_000
    return places % new.denominator == 0 and (new > 1) == (old > 1) and new != 1


def _step(old: Fraction, mentions: Sequence[Number]) -> Fraction:
    if old.denominator > 1:
        for parts in (2, 4, 10, 20) if old > 2 else (10, 20):
            if (old * parts).denominator == 1:
                return Fraction(1, parts)
        return Fraction(1, 100 if (old * 100).denominator == 1 else old.denominator)
    in_words = any(mention.in_words for mention in mentions)
    for round_to, least, step in ((1000, 1000, 100), (100, 1000, 100), (100, 100, 10), (10, 100, 10), (10, 30, 5), (5, 15, 5)):
        if old >= least and old % round_to == 0:
            return Fraction(round_to if in_words and round_to >= 100 else step)
    return Fraction(1)
