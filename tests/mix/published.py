"""Published tables as they are printed, and what a plan gives for their cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from dolmino_cli.bundled import find
from dolmino_cli.mix.manifest import Manifest, load
from dolmino_cli.mix.plan import MixPlan, PlannedSource, plan
from dolmino_cli.mix.populations import published_populations
from dolmino_cli.mix.printed import Interval

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
