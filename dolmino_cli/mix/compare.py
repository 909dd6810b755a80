"""Two mixes side by side: what each takes of every source, and what moved. Exact arithmetic over plans, no files.

Mixes may cut a source differently. Where one takes `math` and the other `math/gsm8k` and `math/tulumath`, these are compared
as `math`, the coarsest name that either has; above rows that share a group stands the group's sum.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from dolmino_cli.mix.manifest import group_names
from dolmino_cli.mix.plan import MixPlan


@dataclass(frozen=True, kw_only=True)
class Amount:
    """What one mix takes under one name, of all its sources of that name."""

    tokens: int
    available: int | None
    """Tokens of those sources; None where the size of one is not known."""
    mix_tokens: int
    published: bool = field(default=False, compare=False)
    """Is a part of `available` a published figure, not counted in arrays?"""

    @property
    def source_percent(self) -> Fraction | None:
        """Tokens taken / tokens of the sources x 100."""
        return None if self.available is None else Fraction(100 * self.tokens, self.available)

    @property
    def mix_percent(self) -> Fraction:
        """Tokens taken / tokens of the mix x 100."""
        return Fraction(100 * self.tokens, self.mix_tokens)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One name in two mixes; None in the one that takes nothing of it. Differences are `after` minus `before`."""

    name: str
    is_group: bool
    """Is it the sum of the rows below it?"""
    before: Amount | None
    after: Amount | None

    @property
    def tokens_difference(self) -> int:
        """In tokens; a mix without the source takes none."""
        return (self.after.tokens if self.after else 0) - (self.before.tokens if self.before else 0)

    @property
    def mix_points(self) -> Fraction:
        """Of Mix %, in percentage points."""
        return (self.after.mix_percent if self.after else Fraction(0)) - (self.before.mix_percent if self.before else Fraction(0))

    @property
    def differs(self) -> bool:
        """Is anything of the row not the same: tokens taken, tokens there, or its part of the mix?"""
        return self.before != self.after


def compare(before: MixPlan, after: MixPlan) -> tuple[Compared, ...]:
    """A row per source that either mix takes, at a grain that both have, and one above every group of two rows or more.

    In the order of `before`, then what only `after` has, each at its group. Tokens add up: those of the rows that are no
    group are the two mixes.
    """
    grains = _grains([source.name for mix in (before, after) for source in mix.sources])
    amounts = [_amounts(mix, grains) for mix in (before, after)]
    names = list(dict.fromkeys(grains.values()))
    groups = [name for name in group_names(names) if sum(other.startswith(name + "/") for other in names) > 1]
    for mix, of_mix in zip((before, after), amounts, strict=True):
        assert sum(amount.tokens for amount in of_mix.values()) == mix.tokens, "the rows of a comparison are not the mix"
        for group in groups:
            if members := [of_mix[name] for name in names if name in of_mix and name.startswith(group + "/")]:
                of_mix[group] = _sum(members)
    paths = {name: [*group_names([name]), name] for name in [*groups, *names]}
    first = {prefix: place for place, prefix in enumerate(dict.fromkeys(prefix for name in names for prefix in paths[name]))}
    order = sorted(paths, key=lambda name: [first[prefix] for prefix in paths[name]])
    return tuple(
        Compared(name=name, is_group=name in groups, before=amounts[0].get(name), after=amounts[1].get(name)) for name in order
    )


def _grains(names: Iterable[str]) -> dict[str, str]:
    """Each source's name -> the one it is compared under: the shortest of all that it lies below, or itself."""
    known = dict.fromkeys(names)
    return {name: next((prefix for prefix in group_names([name]) if prefix in known), name) for name in known}


def _amounts(mix: MixPlan, grains: dict[str, str]) -> dict[str, Amount]:
    below: dict[str, list[Amount]] = {}
    for source in mix.sources:
        there = source.available
        amount = Amount(
            tokens=source.tokens,
            available=there.tokens if there is not None else None,
            mix_tokens=mix.tokens,
            published=there is not None and there.kind == "published",
        )
        below.setdefault(grains[source.name], []).append(amount)
    return {name: _sum(amounts) for name, amounts in below.items()}


def _sum(amounts: list[Amount]) -> Amount:
    known = [amount.available for amount in amounts if amount.available is not None]
    return Amount(
        tokens=sum(amount.tokens for amount in amounts),
        available=sum(known) if len(known) == len(amounts) else None,
        mix_tokens=amounts[0].mix_tokens,
        published=any(amount.published for amount in amounts),
    )
