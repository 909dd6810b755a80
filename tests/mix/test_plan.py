"""A plan is exact arithmetic: every number here can be worked out by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.manifest import Expect, Manifest, Source
from dolmino_cli.mix.plan import MixPlan, PlannedSource, Population, plan


def manifest(total: int | None = None, expect: dict[str, float] | None = None, **sources: Source) -> Manifest:
    published = Expect(mix_percent=expect) if expect else None
    return Manifest(name="m", tokenizer="t", seed=1, sources=sources, total_tokens=total, expect=published)


def populations(**tokens: int) -> dict[str, Population]:
    return {name: Population(tokens=count, documents=None, kind="published") for name, count in tokens.items()}


def taken(planned: MixPlan) -> dict[str, int]:
    return {source.name: source.tokens for source in planned.sources}


def test_a_row_holds_tokens_percents_epochs_and_the_difference_from_what_was_published() -> None:
    mix = manifest(a=Source(source_percent=50), b=Source(source_percent=400), c=Source(tokens=100), expect={"a": 24.5})
    rows = plan(mix, populations(a=400, b=100, c=1000)).sources
    assert rows[0] == PlannedSource(
        name="a",
        available=Population(tokens=400, documents=None, kind="published"),
        tokens=200,
        mix_tokens=700,
        expected_mix_percent=Fraction(49, 2),
    )
    assert [(row.source_percent, row.epochs, row.mix_percent) for row in rows] == [
        (50, Fraction(1, 2), Fraction(200, 7)),
        (400, 4, Fraction(400, 7)),
        (10, Fraction(1, 10), Fraction(100, 7)),
    ]
    assert rows[0].mix_percent_difference == Fraction(200, 7) - Fraction(49, 2)
    assert rows[1].mix_percent_difference is None


def test_rounding_passes_no_bound_where_another_source_can_take_the_token() -> None:
    sources = {"a": Source(rest=1, max_epochs=1.5), "b": Source(rest=1)}
    mix = Manifest(name="m", tokenizer="t", seed=1, total_tokens=10, sources=sources)
    assert taken(plan(mix, populations(a=3))) == {"a": 4, "b": 6}


def test_a_percent_is_exact_where_binary_fractions_are_not() -> None:
    # 752e9 x 3.23 / 100 in float arithmetic is 24289600000.000004 or ...599999.996 depending on the order of operations.
    planned = plan(manifest(dclm=Source(source_percent=3.23)), populations(dclm=752_000_000_000))
    assert taken(planned) == {"dclm": 24_289_600_000}
    large = plan(manifest(dclm=Source(source_percent=3.23)), populations(dclm=10**24 + 100))
    assert taken(large) == {"dclm": 323 * 10**20 + 3}  # + 3.23, rounded


def test_scale_multiplies_what_is_taken_of_every_source_and_halves_round_up() -> None:
    mix = manifest(a=Source(source_percent=50), b=Source(tokens=30))
    assert taken(plan(mix, populations(a=1000, b=50), scale=0.1)) == {"a": 50, "b": 3}
    assert taken(plan(mix, populations(a=100, b=50), scale=0.01)) == {"a": 1, "b": 0}  # 0.5 and 0.3


def test_mix_percents_meet_the_total_by_largest_remainder() -> None:
    mix = manifest(total=100, a=Source(mix_percent=33.3), b=Source(mix_percent=33.3), c=Source(mix_percent=33.4))
    # 33.3 + 33.3 + 33.4: floors 33 + 33 + 33, the one left goes to the largest remainder.
    assert taken(plan(mix, populations(a=1000, b=1000, c=1000))) == {"a": 33, "b": 33, "c": 34}
    halves = manifest(total=101, a=Source(mix_percent=50), b=Source(mix_percent=50))
    assert taken(plan(halves, populations(a=1000, b=10))) == {"a": 51, "b": 50}  # a tie goes to the earlier; b is repeated


def test_mixed_kinds_of_share_must_agree_with_the_total() -> None:
    shares = {"a": Source(source_percent=50), "b": Source(mix_percent=50)}
    assert taken(plan(manifest(total=1000, **shares), populations(a=1000, b=1000))) == {"a": 500, "b": 500}
    with pytest.raises(ConfigError, match="take 1,000 tokens in all, total_tokens says 1,200"):
        plan(manifest(total=1200, a=Source(tokens=400), b=Source(mix_percent=50)), populations(a=1000, b=1000))


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_none_is_refused(scale: float) -> None:
    with pytest.raises(ConfigError, match="scale is"):
        plan(manifest(a=Source(tokens=5)), populations(a=10), scale=scale)


def test_a_source_without_tokens_is_refused_by_name() -> None:
    mix = manifest(a=Source(source_percent=50), b=Source(source_percent=50))
    with pytest.raises(ConfigError, match="'b' has neither token arrays nor published tokens"):
        plan(mix, populations(a=10))
    with pytest.raises(ConfigError, match="'b' has no tokens in its published"):
        plan(mix, populations(a=10, b=0))
    with pytest.raises(ConfigError, match="leaves no token of any source"):
        plan(mix, populations(a=10, b=10), scale=1e-9)


def test_shares_that_leave_nothing_are_not_blamed_on_a_scale() -> None:
    with pytest.raises(ConfigError, match="the shares leave no token of any source of 'm'"):
        plan(manifest(a=Source(source_percent=0.001)), populations(a=10))
    with pytest.raises(ConfigError, match=r"scale 0\.001 leaves no token of any source"):
        plan(manifest(a=Source(source_percent=50)), populations(a=10), scale=0.001)
