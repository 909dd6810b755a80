"""What one sees first: the totals, and every source of the report as a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from dolmino_cli.report.amounts import big_bytes, big_tokens, percent
from dolmino_cli.report.figures.gathered import Report, RunReport
from dolmino_cli.report.figures.run_figures import RunFigures
from dolmino_cli.report.page.bars import Segment, bar
from dolmino_cli.report.page.markup import Child, node
from dolmino_cli.report.page.tables import Column, row, table

_SOURCES = (
    Column(heading="run"),
    Column(heading="kept", kind="n"),
    Column(heading="", kind="picture"),
    Column(heading="in", kind="n"),
    Column(heading="kept", kind="n"),
    Column(heading="dropped", kind="n wide"),
    Column(heading="text kept", kind="n wide"),
    Column(heading="as expected", kind="n"),
)


def tiles(report: Report) -> Element:
    """The totals in large figures."""
    return node("div", (node("div", node("b", figure), node("span", what)) for figure, what in _totals(report)), class_="tiles")


def runs_table(runs: Sequence[RunReport], anchors: Sequence[str]) -> Element:
    """A row per run, linked to its section."""
    rows = (_run_row(run.figures, anchor) for run, anchor in zip(runs, anchors, strict=True))
    return table("What was kept of every source", _SOURCES, rows, kind="sources")


def _totals(report: Report) -> Iterator[tuple[str, str]]:
    for mix in report.mixes[:2]:
        yield big_tokens(mix.tokens), f"tokens in {mix.name}, of {len(mix.sources):,} sources"
    decided = [run.figures for run in report.runs if run.figures.decided]
    if decided:
        read, kept = sum(run.records_in for run in decided), sum(run.kept for run in decided)
        yield big_tokens(read), f"records read in {len(decided):,} runs"
        yield big_tokens(kept), f"kept, {percent(100 * kept / read if read else 0.0)}"
    expected = [step.is_as_expected for run in decided for step in run.steps if step.is_as_expected is not None]
    if expected:
        yield f"{sum(expected)} of {len(expected)}", "retentions as expected"


def _run_row(run: RunFigures, anchor: str) -> Element:
    name = node("a", run.name, href=f"#{anchor}")
    if not run.decided:
        return row(
            _SOURCES, [name, "", "", "", f"{run.kept:,} {'scored' if run.input_bytes is not None else 'made'}", "", "", ""]
        )
    scale = 100 / max(run.records_in, 1)
    pieces = [
        Segment(start=0, length=scale * run.kept, kind="kept"),
        Segment(start=scale * run.kept, length=scale * run.dropped, kind="dropped"),
        Segment(start=scale * (run.kept + run.dropped), length=scale * run.quarantined, kind="quarantined"),
    ]
    said = f"{run.name}: {run.kept:,} kept, {run.dropped:,} dropped, {run.quarantined:,} quarantined"
    met = [step.is_as_expected for step in run.steps if step.is_as_expected is not None]
    verdict = node("span", f"{sum(met)} of {len(met)} {'✓' if all(met) else '✗'}", class_="good" if all(met) else "bad")
    cells: list[Child] = [
        name,
        percent(run.kept_percent),
        bar(said, pieces),
        big_tokens(run.records_in),
        big_tokens(run.kept),
        big_tokens(run.dropped),
        "" if run.text_kept_bytes is None else big_bytes(run.text_kept_bytes),
        verdict if met else "",
    ]
    return row(_SOURCES, cells)
