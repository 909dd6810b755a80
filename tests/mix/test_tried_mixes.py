"""Every cell of the paper's Tables 10 and 12, the mixes that were tried, from the bundled manifests, as in test_tables.py."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

from dolmino_cli.bundled import find
from dolmino_cli.mix.manifest import Manifest, Published, load
from dolmino_cli.mix.plan import MixPlan, plan
from dolmino_cli.mix.populations import published_populations
from dolmino_cli.mix.printed import Interval
from tests.mix.published import Cell, as_printed, like, planned, row_of, rows_of

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
        manifest = load(find("mixes", mix.name))
        assert mix.tokens == manifest.total_tokens == manifest.nominal_tokens == 50_000_000_000
        if manifest.expect is not None:
            assert manifest.expect.mix_percent == {cell.row: float(cell.printed)}


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
