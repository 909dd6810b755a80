"""Shares, bounds and totals together: every number here can be worked out by hand, and the rest holds for any."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.manifest import Group, Manifest, Source
from dolmino_cli.mix.solve import apportion, solve


def manifest(sources: dict[str, Source], *, groups: dict[str, Group] | None = None, total: int | None = None) -> Manifest:
    return Manifest(name="m", tokenizer="t", seed=1, sources=sources, groups=groups or {}, total_tokens=total)


def test_the_rest_is_what_the_stated_shares_leave() -> None:
    mix = manifest({"math": Source(source_percent=200), "flan": Source(mix_percent=20), "web": Source(rest=1)}, total=1000)
    assert solve(mix, {"math": 150}) == {"math": 300, "flan": 200, "web": 500}


def test_the_rest_is_divided_by_weight_within_bounds() -> None:
    sources = {"a": Source(rest=3, max_epochs=1), "b": Source(rest=1), "c": Source(rest=1, min_tokens=400)}
    mix = manifest(sources, total=1000)
    # 600, 200, 200 by weight; c stands at 400, a at its 300, and b has what is left.
    assert solve(mix, {"a": 300}) == {"a": 300, "b": 300, "c": 400}
    assert solve(mix, {"a": 10_000}) == {"a": 450, "b": 150, "c": 400}


def test_a_share_of_a_total_that_follows_from_the_stated_sizes() -> None:
    # As a microanneal: two copies of the math are what 60 % of web leaves.
    mix = manifest({"math": Source(source_percent=200), "web": Source(mix_percent=60)})
    assert solve(mix, {"math": 100}) == {"math": 200, "web": 300}


def test_a_group_is_the_share_of_the_members_that_state_none() -> None:
    sources = {"web": Source(tokens=100), "math/a": Source(), "math/b/x": Source(), "math/b/y": Source(source_percent=300)}
    held = {"math/a": 50, "math/b/x": 10, "math/b/y": 20}
    by_passes = manifest(sources, groups={"math": Group(source_percent=200)})
    assert solve(by_passes, held) == {"web": 100, "math/a": 100, "math/b/x": 20, "math/b/y": 60}
    inner = manifest(sources, groups={"math": Group(source_percent=200), "math/b": Group(tokens=5)})
    assert solve(inner, held) == {"web": 100, "math/a": 100, "math/b/x": 5, "math/b/y": 60}
    by_tokens = manifest(sources, groups={"math": Group(tokens=30)})  # a and x: the same passes over each
    assert solve(by_tokens, held) == {"web": 100, "math/a": 25, "math/b/x": 5, "math/b/y": 60}


@pytest.mark.parametrize(
    ("sources", "held", "total", "message"),
    [
        (
            {"a": Source(source_percent=300, max_epochs=2)},
            {"a": 10},
            None,
            "infeasible: a (source_percent: 300) is 30 tokens, its bounds allow at most 20 (a: max_epochs 2 of 10 tokens); raise",
        ),
        (
            {"a": Source(tokens=5, min_tokens=7)},
            {},
            None,
            "infeasible: a (tokens: 5) is 5 tokens, its bounds allow at least 7 (a: min_tokens 7); lower min_tokens",
        ),
        (
            {"a": Source(rest=1, max_epochs=1), "b": Source(rest=1, max_epochs=2, min_tokens=1), "c": Source(tokens=50)},
            {"a": 10, "b": 10},
            100,
            "the rest of total_tokens is 50 tokens, its bounds allow at most 30 (a: max_epochs 1 of 10 tokens; b: min",
        ),
        (
            {"a": Source(rest=1), "b": Source(tokens=150)},
            {},
            100,
            "infeasible: the other sources take all 100 tokens of the mix and 50 more; nothing is left for a;",
        ),
        (
            {"a": Source(source_percent=5)},
            {},
            None,
            "source 'a' has neither token arrays nor published tokens, and source_percent",
        ),
        ({"a": Source(tokens=5, max_epochs=1)}, {}, None, "and max_epochs is a bound on it"),
        ({"a": Source(tokens=400), "b": Source(mix_percent=50)}, {}, 1200, "take 1,000 tokens in all, total_tokens says 1,200"),
    ],
)
def test_what_cannot_hold_names_the_bound_in_the_way(
    sources: dict[str, Source], held: dict[str, int], total: int | None, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        solve(manifest(sources, total=total), held)
    assert message in str(caught.value)


weights = st.floats(min_value=0.01, max_value=100).map(lambda value: round(value, 2))
takers = st.lists(
    st.tuples(weights, st.none() | st.integers(1, 500), st.none() | st.floats(0.1, 3).map(lambda value: round(value, 1))),
    min_size=1,
    max_size=6,
)


@given(takers, st.integers(1, 3000))
def test_the_rest_meets_the_total_keeps_all_bounds_and_is_proportional_between_them(
    chosen: list[tuple[float, int | None, float | None]], total: int
) -> None:
    sources = {f"s{i}": Source(rest=w, min_tokens=least, max_epochs=cap) for i, (w, least, cap) in enumerate(chosen)}
    held = {name: 400 for name in sources}
    least = {name: Fraction(source.min_tokens or 0) for name, source in sources.items()}
    most = {name: Fraction(repr(s.max_epochs)) * 400 if s.max_epochs else None for name, s in sources.items()}
    if any(cap is not None and cap < least[name] for name, cap in most.items()):
        with pytest.raises(ConfigError, match="contradict each other"):
            solve(manifest(sources, total=total), held)
        return
    feasible = sum(least.values()) <= total and (None in most.values() or sum(cap for cap in most.values() if cap) >= total)
    if not feasible:
        with pytest.raises(ConfigError, match="infeasible"):
            solve(manifest(sources, total=total), held)
        return
    taken = solve(manifest(sources, total=total), held)
    assert sum(taken.values()) == total
    levels = set()
    for name, tokens in taken.items():
        cap = most[name]
        assert tokens >= least[name] and (cap is None or tokens <= cap)
        if tokens > least[name] and (cap is None or tokens < cap):
            levels.add(tokens / Fraction(repr(sources[name].rest)))
    assert len(levels) <= 1
    if levels:  # nobody at a bound would be better served by the common level
        level = levels.pop()
        for name, tokens in taken.items():
            wanted = level * Fraction(repr(sources[name].rest))
            assert tokens >= wanted if tokens == least[name] else tokens <= wanted


def test_a_bound_that_is_no_whole_number_is_passed_only_where_nothing_else_can_be() -> None:
    half = Fraction(1, 2)
    assert apportion({"a": 4 + half, "b": 5 + half}) == {"a": 5, "b": 5}
    assert apportion({"a": 4 + half, "b": 5 + half}, {"a": 4 + half}) == {"a": 4, "b": 6}
    assert apportion({"a": 4 + half, "b": 5 + half}, {"a": 4 + half, "b": 5 + half}) == {"a": 5, "b": 5}


@given(st.lists(st.fractions(min_value=0, max_value=1000), min_size=1, max_size=8))
def test_whole_numbers_sum_to_the_rounded_sum_and_none_is_a_token_off(values: list[Fraction]) -> None:
    exact_tokens = {str(i): value for i, value in enumerate(values)}
    taken = apportion(exact_tokens)
    assert abs(sum(taken.values()) - sum(values)) <= Fraction(1, 2)
    assert all(abs(taken[name] - value) < 1 for name, value in exact_tokens.items())
    assert all(taken[name] == value for name, value in exact_tokens.items() if value.denominator == 1)
