"""New values of one number of a problem: of the same kind, roundness and magnitude as the old."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random

from dolmino_cli.stages.renumber_arithmetic import Exact, divide
from dolmino_cli.stages.renumber_graph import Given
from dolmino_cli.stages.renumber_numbers import Number

_SMALL = 12  # numbers up to here are drawn from the few around them, larger ones from a factor of them
_LOW_FACTOR, _HIGH_FACTOR = 0.6, 1.7  # of all numbers of a problem together
_SPREAD_LOW, _SPREAD_HIGH = 8, 12  # tenths, of one of them beside that
_ROUND = tuple(digit * 10**power for power in range(8, -1, -1) for digit in (5, 1))

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
    """Where the new values of a given may lie."""

    old: Exact
    low: Exact
    high: Exact
    step: Exact
    """Draws are multiples of it: as round as the old value."""
    fine_step: Exact
    """The same for when no round value will do."""

    def draws(self, factor: float, fine: bool) -> Draws:
        """Values near `factor` times the old: others than the old one where there are any, or with `fine` all."""
        step = self.fine_step if fine else self.step
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        if self.old <= _SMALL and self.step == 1:
            first, last = max(first, math.ceil(self.old - 4)), min(last, math.floor(self.old + 6))
        else:
            middle = divide(self.old * round(factor * 100), step)  # in hundredths of a step
            first, last = max(first, -(-middle * _SPREAD_LOW // 1000)), min(last, middle * _SPREAD_HIGH // 1000)
        return Draws(amount=self, first=first, count=max(1, last - first + 1), step=step, fine=fine)

    def admits(self, value: Exact) -> bool:
        """Whether a calculated `value` will do; it need not be as round as a drawn one."""
        return self.low <= value <= self.high and same_kind(self.old, value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Draws:
    """The `count` multiples of `step` from the one numbered `first` on, as far as `amount` admits them."""

    amount: Amount
    first: int
    count: int
    step: Exact
    fine: bool
    """The old value may be drawn too."""

    def draw(self, random: Random) -> Exact:
        """One of them, after at most four attempts at one of the old value's kind."""
        old, low, high = self.amount.old, self.amount.low, self.amount.high
        value = old
        for _ in range(4):
            value = (self.first + int(random.random() * self.count)) * self.step
            if value < low:
                value = low
            elif value > high:
                value = high
            if (self.fine or value != old) and (value.denominator == 1) == (old.denominator == 1):
                break
        return value


def common_factor(random: Random) -> float:
    """By how much all numbers of a problem grow or shrink together, so that they keep their order mostly."""
    return _LOW_FACTOR + (_HIGH_FACTOR - _LOW_FACTOR) * random.random()


def amount(given: Given, most: int | None = None) -> Amount:
    """The new values that `given` may take, up to `most` where it is not more now; a fixed one keeps its own."""
    old = given.value
    if given.fixed:
        return Amount(old=old, low=old, high=old, step=1, fine_step=1)
    step, fine_step = _decimal_steps(old) if old.denominator > 1 else _whole_steps(int(old), given.mentions)
    low: Exact = 2
    high: Exact = max(9, 3 * old)
    if old.denominator > 1:
        low, high = (step, 1 - step) if old < 1 else (1 + step, 3 * old)
    for mention in given.mentions:
        high = min(high, ceiling(mention) or high)
    if most is not None and old <= most:
        high = min(high, most)
    if any(mention.percent for mention in given.mentions) and old < 100:
        high = min(high, 95)
    return Amount(old=old, low=min(low, old), high=max(high, old), step=step, fine_step=fine_step)


def ceiling(number: Number) -> int | None:
    """The most that a number may become where its unit has a natural bound that it keeps now; None where it has none."""
    if number.percent:
        return 100 if number.value <= 100 else None
    bounds = _CEILINGS.get(number.unit.removesuffix("s"), ())
    return next((bound for bound in bounds if number.value <= bound), None)


def same_kind(old: Exact, new: Exact) -> bool:
    """Whether `new` can stand where `old` stood: nothing and one stay, wholes stay whole, shares stay below one.

    Decimals end after two places, or after four where the old one had more than two.
    """
    if old in (0, 1) or new <= 0 or old < 0:
        return new == old
    if old.denominator == 1:
        return new.denominator == 1 and new > 1
    places = 100 if 100 % old.denominator == 0 else 10_000
    return places % new.denominator == 0 and (new > 1) == (old > 1) and new != 1


def near(old: Exact, new: Exact) -> bool:
    """Whether a result keeps its magnitude, so that ages stay ages and prices prices."""
    return old <= 4 * new and new <= 5 * old + 10


def _decimal_steps(old: Exact) -> tuple[Exact, Exact]:
    for parts in (2, 4, 10, 20) if old > 2 else (10, 20):
        if (old * parts).denominator == 1:
            return Fraction(1, parts), Fraction(1, max(parts, 10))
    step = Fraction(1, 100 if (old * 100).denominator == 1 else old.denominator)
    return step, step


def _whole_steps(old: int, mentions: Sequence[Number]) -> tuple[int, int]:
    """The largest round number that divides `old` and is at most a fifth of it, and the next smaller such."""
    if any(mention.in_words for mention in mentions) and old >= 100:
        return (1000, 1000) if old % 1000 == 0 else (100, 100)  # others are not written in words
    ladder = [step for step in _ROUND if old % step == 0 and 5 * step <= old] or [1]
    return ladder[0], ladder[min(1, len(ladder) - 1)]
