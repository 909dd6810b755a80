"""A plan as a table: where rows stand, and what their cells say."""

from __future__ import annotations

from dolmino_cli.mix.manifest import Expect, Manifest, Source
from dolmino_cli.mix.plan import MixPlan, plan
from dolmino_cli.report.mix_table import plan_table, published_total


def planned(expect: Expect | None = None, scale: float = 1, **tokens: int) -> MixPlan:
    sources = {name.replace("_", "/"): Source(tokens=count) for name, count in tokens.items()}
    return plan(Manifest(name="m", tokenizer="t", seed=1, sources=sources, expect=expect), {}, scale=scale)


def column(mix: MixPlan, heading: str) -> list[str]:
    return next([str(cell) for cell in column.cells] for column in plan_table(mix).columns if column.header == heading)


def test_the_members_of_a_group_stand_below_it_wherever_the_manifest_has_them() -> None:
    mix = planned(math_a=5, web=7, math_b_x=8, math_c=1, math_b_y=2)
    assert column(mix, "source") == ["math", "  a", "  b", "    x", "    y", "  c", "web", "total"]
    assert column(mix, "taken") == ["16", "5", "10", "8", "2", "1", "7", "23"]


def test_a_source_that_is_there_is_never_printed_as_none() -> None:
    assert column(planned(web=99_999, gsm8k=1), "Mix %") == ["100.00", "<0.01", "100.00"]
    assert column(planned(web=99_999, gsm8k=1, scale=0.01), "Mix %") == ["100.00", "0.00", "100.00"]


def test_the_published_total_stands_beside_the_planned_one_of_the_whole_mix() -> None:
    assert published_total(planned(Expect(tokens=500), web=510)) == "published: 500 tokens in all; planned 510 (+2.00 %)"
    assert published_total(planned(Expect(tokens=500), web=510, scale=0.5)) is None
    assert published_total(planned(web=510)) is None


def test_a_difference_of_nothing_has_no_sign_of_its_own() -> None:
    mix = planned(Expect(mix_percent={"a": 33.334, "b": 66.666}), a=1, b=2)
    assert column(mix, "difference") == ["+0.00", "+0.00", ""]
