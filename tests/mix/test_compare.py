"""Two mixes are compared at a grain that both have, exactly, and no token falls between the rows."""

from __future__ import annotations

from fractions import Fraction

from dolmino_cli.mix.compare import Amount, Compared, compare
from dolmino_cli.mix.plan import MixPlan, PlannedSource, Population


def mix(**tokens_of: tuple[int, int | None]) -> MixPlan:
    """A plan of name=(tokens taken, tokens there); `__` in a name stands for `/`."""
    total = sum(tokens for tokens, _ in tokens_of.values())
    rows = tuple(
        PlannedSource(
            name=name.replace("__", "/"),
            available=Population(tokens=available, documents=None, kind="published") if available is not None else None,
            tokens=tokens,
            mix_tokens=total,
            expected_mix_percent=None,
        )
        for name, (tokens, available) in tokens_of.items()
    )
    return MixPlan(name="mix", scale=1.0, sources=rows, expected_groups={})


def shown(rows: tuple[Compared, ...]) -> list[tuple[str, bool, int | None, int | None]]:
    return [
        (row.name, row.is_group, row.before.tokens if row.before else None, row.after.tokens if row.after else None)
        for row in rows
    ]


def test_rows_stand_in_the_first_mix_s_order_with_a_sum_above_each_group() -> None:
    before = mix(web=(70, 700), math__gsm8k=(10, 10), wiki=(10, 20), math__tulu=(10, 40))
    after = mix(math__tulu=(30, 40), code=(5, 50), web=(70, 700), math__synth=(5, 5))
    assert shown(compare(before, after)) == [
        ("web", False, 70, 70),
        ("math", True, 20, 35),
        ("math/gsm8k", False, 10, None),
        ("math/tulu", False, 10, 30),
        ("math/synth", False, None, 5),
        ("wiki", False, 10, None),
        ("code", False, None, 5),
    ]


def test_sources_of_different_grain_are_compared_at_the_coarsest_name() -> None:
    before = mix(math=(100, 200), web=(100, 100))
    after = mix(math__tinygsm__two=(60, 30), math__gsm8k=(40, 20), web=(300, 100))
    assert compare(before, after) == (
        Compared(
            name="math",
            is_group=False,
            before=Amount(tokens=100, available=200, mix_tokens=200),
            after=Amount(tokens=100, available=50, mix_tokens=400),
        ),
        Compared(
            name="web",
            is_group=False,
            before=Amount(tokens=100, available=100, mix_tokens=200),
            after=Amount(tokens=300, available=100, mix_tokens=400),
        ),
    )
    assert [row.name for row in compare(after, before)] == ["math", "web"]


def test_differences_are_exact_and_of_the_second_minus_the_first() -> None:
    before, after = mix(math__two=(2, 1), web=(1, 3)), mix(math__two=(3, 1), web=(4, 3), wiki=(2, 2))
    rows = {row.name: row for row in compare(before, after)}
    assert rows["math/two"].tokens_difference == 1
    assert rows["math/two"].mix_points == Fraction(300, 9) - Fraction(200, 3)
    assert rows["math/two"].after is not None and rows["math/two"].after.source_percent == 300
    assert rows["wiki"].tokens_difference == 2 and rows["wiki"].mix_points == Fraction(200, 9)
    assert all(row.differs for row in rows.values())
    assert not any(row.differs for row in compare(before, before))


def test_a_group_of_unknown_size_in_one_mix_and_absent_from_the_other() -> None:
    rows = compare(mix(web=(5, None)), mix(web=(5, None), math__a=(2, None), math__b=(3, 4)))
    assert shown(rows) == [("web", False, 5, 5), ("math", True, None, 5), ("math/a", False, None, 2), ("math/b", False, None, 3)]
    assert rows[1].after is not None and rows[1].after.source_percent is None


def test_inner_groups_have_their_own_sum() -> None:
    both = mix(math__gsm=(1, 1), math__tiny__a=(2, 2), math__tiny__b=(3, 3))
    assert [(row.name, row.is_group, row.tokens_difference) for row in compare(both, both)] == [
        ("math", True, 0),
        ("math/gsm", False, 0),
        ("math/tiny", True, 0),
        ("math/tiny/a", False, 0),
        ("math/tiny/b", False, 0),
    ]
