"""Every cell of the published tables, from the bundled manifests: reproduced within its printed rounding, or known not to be.

A cell is reproduced when some value that rounds to what is printed follows from inputs that round to what is printed of them:
752B is anything from 751.5B to 752.5B. One that is not must be in the list of contradictions of its table with what the plan
gives instead; one that is in the list must not be reproduced.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import pytest

from dolmino_cli.bundled import find
from dolmino_cli.mix.estimate import run_of
from dolmino_cli.mix.manifest import Manifest, Published, load
from dolmino_cli.mix.plan import MixPlan, PlannedSource, plan
from dolmino_cli.mix.populations import published_populations
from dolmino_cli.mix.printed import Interval, possible_mix_percent, possible_tokens
from dolmino_cli.report.mix_advice import variant_advice

SIZES = ("50b", "100b", "300b")
# OLMo 2 paper, Table 13: tokens; Source % and Mix % of 50B, of 100B, of 300B.
TABLE_13 = """
dclm           752B   3.23  47.2   6.85  50.2   20.78  51.9
flan           17.0B  50.0  16.6   100   16.7   200    11.3
stackexchange  1.26B  100   2.45   200   2.47   400    1.68
pes2o          58.6B  5.15  5.85   16.7  9.52   100    19.4
wiki           3.7B   100   7.11   100   3.57   400    4.86
math           10.7B  100   20.8   200   17.5   400    10.8
"""
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

# OLMo 2 paper, Table 10: PT Mix, Web FT7, FT7 FW3, FT7 FW2, + Math, + Ins, + Math + Ins. The first row of a mix is its web.
TABLE_10_MIXES = (
    "olmo2-pt-mix",
    "olmo2-web-ft7",
    "olmo2-web-ft7-fw3",
    "olmo2-web-ft7-fw2",
    "olmo2-web-ft7-fw2-math",
    "olmo2-web-ft7-fw2-ins",
    "olmo2-web-ft7-fw2-math-ins",
)
TABLE_10 = """
dclm-pretrain            95.2  -     -      -      -      -     -
dclm-ft7                 -     57.1  -      -      -      -     -
dclm-fw3                 -     -     54.2   -      -      -     -
dclm                     -     -     -      57.9   61.8   75.5  57.5
flan                     -     -     -      -      -      8.8   6.7
stackexchange            -     -     -      -      -      0.7   0.5
starcoder                2.1   19.5  20.9   19.2   -      -     -
codesearchnet            -     -     -      -      0.1    0.2   0.1
gutenberg                -     1.2   1.3    1.2    -      -     -
pes2o                    1.5   6.6   7.1    6.5    10.7   13.0  9.9
wiki                     0.1   0.9   0.9    0.9    1.6    1.9   1.4
redpajama-stackexchange  -     4.0   4.3    4.0    -      -     -
arxiv                    0.5   4.9   5.2    4.8    -      -     -
algebraicstack           0.3   2.8   3.0    2.7    -      -     -
openwebmath              0.3   2.9   3.1    2.8    5.2    -     4.8
gsm8k                    -     -     0.003  0.003  0.003  -     0.003
mathpile                 -     -     -      -      2.1    -     1.9
automathtext             -     -     -      -      18.5   -     17.2
"""
# OLMo 2 paper, Table 12: web ratio and tokens. The baselines, which are not trained, have neither.
TABLE_12 = """
microanneal-math-35-65       65.0  576M
microanneal-math-10-90       88.3  1.72B
microanneal-math-35-65       65.0  576M
microanneal-math-2x          49.3  798M
microanneal-math-4x          48.6  1.57B
microanneal-tinygsm-inline   47.9  3.17B
microanneal-tinygsm-mind     52.1  6.40B
microanneal-tinygsm-mind-2x  51.3  12.6B
"""
# The released configs, every path as often as it is listed: total, what training saw of it, Mix % in the order of Table 13.
AS_RUN = {
    "50b": ("51.472B", "97.2", ("47.23", "16.59", "2.45", "5.85", "7.11", "20.77")),
    "100b": ("112.944B", "88.6", ("45.6", "15.1", "2.23", "8.64", "6.48", "21.95")),
    "300b": ("311.418B", "96.4", ("50.2", "11.0", "1.62", "18.8", "4.70", "13.7")),
}


@dataclass(frozen=True)
class Cell:
    row: str
    mix: str
    column: str
    printed: str


def cells(table: str) -> Iterator[Cell]:
    for row, tokens, *percents in rows_of(table):
        for i, size in enumerate(SIZES):
            yield Cell(row, size, "tokens", tokens)
            yield Cell(row, size, "Source %", percents[2 * i])
            yield Cell(row, size, "Mix %", percents[2 * i + 1])


def rows_of(table: str) -> list[list[str]]:
    return [line.split() for line in table.strip().splitlines()]


def planned(name: str) -> tuple[Manifest, MixPlan]:
    manifest = load(find("mixes", name))
    return manifest, plan(manifest, published_populations(manifest))


def row_of(mix: MixPlan, name: str) -> PlannedSource:
    return next(row for row in (*mix.groups, *mix.sources) if row.name == name)


def as_printed(text: str) -> Interval:
    """What rounds to `text`: 3.7B is 3.65B to 3.75B, 20.78 is 20.775 to 20.785."""
    unit = {"M": 10**6, "B": 10**9, "T": 10**12}.get(text[-1], 1)
    digits = text.rstrip("MBT")
    half = Fraction(unit, 2 * 10 ** len(digits.partition(".")[2]))
    return Interval(low=Fraction(digits) * unit - half, high=Fraction(digits) * unit + half)


def like(printed: str, value: Fraction) -> str:
    """`value` with the digits and unit of `printed`."""
    unit = {"M": 10**6, "B": 10**9, "T": 10**12}.get(printed[-1], 1)
    decimals = len(printed.rstrip("MBT").partition(".")[2])
    return f"{float(value / unit):.{decimals}f}" + (printed[-1] if unit > 1 else "")


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


def test_every_cell_of_table_10_is_reproduced() -> None:
    plans = [planned(name)[1] for name in TABLE_10_MIXES]
    halves = dict.fromkeys(TABLE_10_MIXES, Fraction(0))
    webs: dict[str, Cell] = {}
    count = 0
    for row, *printed in rows_of(TABLE_10):
        for mix, text in zip(plans, printed, strict=True):
            count += 1
            taken = {source.name: source for source in mix.sources}
            if text == "-":
                assert row not in taken, (row, mix.name)
            elif mix.name not in webs:
                webs[mix.name] = Cell(row, mix.name, "Mix %", text)
            else:
                halves[mix.name] += (as_printed(text).high - as_printed(text).low) / 2
                assert as_printed(text).low <= taken[row].mix_percent <= as_printed(text).high, (row, mix.name)
    assert count == 18 * 7
    for mix in plans:  # the web takes what the others leave, so it may be as far off as they all are rounded
        cell, web = webs[mix.name], row_of(mix, webs[mix.name].row).mix_percent
        possible = Interval(low=web - halves[mix.name], high=web + halves[mix.name])
        assert possible.meets(as_printed(cell.printed)), cell
        assert mix.tokens == 50_000_000_000


def test_every_cell_of_table_12_is_reproduced() -> None:
    count = 0
    for name, ratio, tokens in rows_of(TABLE_12):
        manifest, mix = planned(name)
        assert like(ratio, row_of(mix, "dclm").mix_percent) == ratio
        lengths = [plan_at_the_edge(manifest, ratio, side).tokens for side in (-1, 1)]
        assert lengths[0] < mix.tokens < lengths[1]
        assert Interval(low=Fraction(lengths[0]), high=Fraction(lengths[1])).meets(as_printed(tokens)), name
        assert manifest.expect is not None and manifest.expect.tokens is not None
        assert like(tokens, Fraction(manifest.expect.tokens)) == tokens
        count += 2
    assert count == 16


def plan_at_the_edge(manifest: Manifest, ratio: str, side: int) -> MixPlan:
    """The plan when all printed sizes and the web ratio are as small, or as large, as rounds to what is printed."""
    edge = as_printed(ratio)
    sources = {}
    for name, source in manifest.sources.items():
        assert source.published is not None
        size = Published(tokens=source.published.tokens + side * source.published.within)
        share = {"mix_percent": float(edge.low if side < 0 else edge.high)} if name == "dclm" else {}
        sources[name] = dataclasses.replace(source, published=size, **share)  # type: ignore[arg-type]
    moved = dataclasses.replace(manifest, sources=sources)
    return plan(moved, published_populations(moved))


@pytest.mark.parametrize("size", SIZES)
def test_as_run_mixes_have_the_released_configs_totals(size: str) -> None:
    total, consumed, percents = AS_RUN[size]
    manifest, mix = planned(f"dolmino-1124-{size}-as-run")
    assert like(total, Fraction(mix.tokens)) == total
    rows = [row_of(mix, row).mix_percent for row, *_ in rows_of(TABLE_13)]
    assert tuple(like(text, value) for text, value in zip(percents, rows, strict=True)) == percents
    assert manifest.training is not None
    run = run_of(mix, manifest.training)
    assert like(consumed, Fraction(100 * run.seen_tokens, mix.tokens)) == consumed


def test_the_as_run_mix_of_100b_is_told_from_the_paper_s_by_its_copies() -> None:
    said = "\n".join(variant_advice(planned("dolmino-1124-100b")[1], planned("dolmino-1124-100b-as-run")[1]))
    assert "wiki is taken twice, in dolmino-1124-100b once" in said
    assert "math/tinygsm-mind/two-students is taken 3 times, in dolmino-1124-100b twice" in said
    assert "math/codesearchnet-owm is in dolmino-1124-100b and not in dolmino-1124-100b-as-run" in said


def test_llm_jp_s_run_of_100b_is_the_sum_of_its_script() -> None:
    manifest, mix = planned("dolmino-1124-100b-llm-jp-as-run")
    assert abs(mix.tokens - 113_460_356_693) <= 13  # awk rounds the share of every file
    table = planned("dolmino-1124-100b-llm-jp")[1]
    assert table.tokens - mix.tokens == 1_464_772_187  # all of StackExchange, once
    assert manifest.training is not None
    assert manifest.training.steps == -(-mix.tokens // manifest.training.batch_tokens) == 13_526
    assert planned("dolmino-1124-50b-llm-jp")[1].tokens == pytest.approx(55_797_411_281, abs=13)
