"""Every cell of the published tables, from the bundled manifests: reproduced within its printed rounding, or known not to be.

A cell is reproduced when some value that rounds to what is printed follows from inputs that round to what is printed of them:
752B is anything from 751.5B to 752.5B. One that is not must be in the list of contradictions of its table with what the plan
gives instead; one that is in the list must not be reproduced.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest

from dolmino_cli.bundled import find
from dolmino_cli.mix.manifest import Manifest, load
from dolmino_cli.mix.plan import MixPlan, plan
from dolmino_cli.mix.populations import published_populations
from dolmino_cli.mix.printed import Interval, possible_mix_percent, possible_tokens
from tests.mix.published import SIZES, TABLE_13, Cell, as_printed, cells, like, planned, row_of

# LLM-jp's blog, Table 2: the same, printed again.
LLM_JP_TABLE_2 = """
dclm           752B   3.23  47.2   6.85  50.2   20.78  51.9
flan           17.0B  50.0  16.6   100   16.7   200    11.3
stackexchange  1.26B  100   2.45   200   2.47   400    1.68
pes2o          58.6B  5.15  5.85   16.7  9.52   100    19.4
wiki           3.7B   100   7.11   100   3.57   400    4.86
math           10.7B  100   20.8   200   17.5   400    10.8
"""
# LLM-jp's blog, Table 3, and the totals of its caption.
LLM_JP_TABLE_3 = """
dclm           821B   3.23  47.57  6.85  48.98  20.78  50.57
flan           18.5B  50.0  16.56  100   16.08  200    10.95
stackexchange  1.46B  100   2.63   200   2.55   400    1.74
pes2o          62.9B  5.15  5.80   16.7  9.13   100    18.61
wiki           3.9B   100   6.98   100   3.39   400    4.62
math           11.4B  100   20.46  200   19.87  400    13.52
"""
LLM_JP_TOTALS = {"50b": "55.8B", "100b": "114.9B", "300b": "337.7B"}

# Table 13's Mix % of 100B and 300B count a part of the math, TinyGSM-MIND two-students, once: not 2 and 4 times as Source % say.
COUNTED_ONCE = {
    ("dclm", "100b", "Mix %"): "48.6",
    ("flan", "100b", "Mix %"): "16.1",
    ("stackexchange", "100b", "Mix %"): "2.38",
    ("pes2o", "100b", "Mix %"): "9.24",
    ("wiki", "100b", "Mix %"): "3.49",
    ("math", "100b", "Mix %"): "20.2",
    ("dclm", "300b", "Mix %"): "50.2",
    ("flan", "300b", "Mix %"): "10.9",
    ("stackexchange", "300b", "Mix %"): "1.62",
    ("pes2o", "300b", "Mix %"): "18.8",
    ("wiki", "300b", "Mix %"): "4.75",
    ("math", "300b", "Mix %"): "13.7",
}
# Their scripts count 821,700,082,246 tokens: the table cuts off where it should round.
CUT_OFF = {("dclm", size, "tokens"): "822B" for size in SIZES}


def computed(manifest: Manifest, mix: MixPlan, cell: Cell) -> tuple[Fraction, Interval]:
    """What the plan gives for the cell, and all that it may be by the rounding of its inputs."""
    row = row_of(mix, cell.row)
    assert row.available is not None and row.source_percent is not None
    if cell.column == "tokens":
        tokens, within = row.available.tokens, row.available.within
        return Fraction(tokens), Interval(low=Fraction(tokens - within), high=Fraction(tokens + within))
    if cell.column == "Source %":
        return row.source_percent, Interval(low=row.source_percent, high=row.source_percent)
    return row.mix_percent, possible_mix_percent(row, possible_tokens(manifest, mix))


@pytest.mark.parametrize(
    ("table", "suffix", "contradictions"),
    [(TABLE_13, "", COUNTED_ONCE), (LLM_JP_TABLE_2, "", COUNTED_ONCE), (LLM_JP_TABLE_3, "-llm-jp", CUT_OFF)],
    ids=["paper Table 13", "LLM-jp Table 2", "LLM-jp Table 3"],
)
def test_every_cell_is_reproduced_or_a_known_contradiction(
    table: str, suffix: str, contradictions: dict[tuple[str, str, str], str]
) -> None:
    plans = {size: planned(f"dolmino-1124-{size}{suffix}") for size in SIZES}
    found, count = {}, 0
    for cell in cells(table):
        count += 1
        value, possible = computed(*plans[cell.mix], cell)
        if not possible.meets(as_printed(cell.printed)):
            given = contradictions.get((cell.row, cell.mix, cell.column), cell.printed)
            found[cell.row, cell.mix, cell.column] = like(given, value)
    assert count == 6 * 3 * 3
    assert found == contradictions


@pytest.mark.parametrize("size", SIZES)
def test_what_a_manifest_expects_is_what_was_printed(size: str) -> None:
    nominal = 10**9 * int(size.removesuffix("b"))
    for table, suffix in ((TABLE_13, ""), (LLM_JP_TABLE_3, "-llm-jp")):
        manifest = load(find("mixes", f"dolmino-1124-{size}{suffix}"))
        assert manifest.expect is not None and manifest.nominal_tokens == nominal
        printed = {cell.row: float(cell.printed) for cell in cells(table) if (cell.mix, cell.column) == (size, "Mix %")}
        assert manifest.expect.mix_percent == printed
        assert manifest.expect.tokens == (None if suffix == "" else as_printed(LLM_JP_TOTALS[size]).low + 50_000_000)


def test_llm_jp_s_totals_are_those_of_its_caption() -> None:
    totals = {size: Fraction(planned(f"dolmino-1124-{size}-llm-jp")[1].tokens) for size in SIZES}
    assert {size: like(LLM_JP_TOTALS[size], total) for size, total in totals.items()} == LLM_JP_TOTALS


@pytest.mark.parametrize("size", ["100b", "300b"])
def test_table_13_s_mix_percents_follow_when_two_students_is_counted_once(size: str) -> None:
    manifest, _ = planned(f"dolmino-1124-{size}")
    name = "math/tinygsm-mind/two-students"
    once = dataclasses.replace(
        manifest, sources=manifest.sources | {name: dataclasses.replace(manifest.sources[name], source_percent=100)}
    )
    mix = plan(once, published_populations(once))
    for cell in cells(TABLE_13):
        if cell.mix == size and cell.column == "Mix %":
            assert computed(once, mix, cell)[1].meets(as_printed(cell.printed)), cell
