"""One run on the page: its waterfall, its histograms, the documents near its bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from dolmino_cli.report.amounts import big_bytes, percent
from dolmino_cli.report.figures.example_texts import Example, Examples
from dolmino_cli.report.figures.gathered import RunReport
from dolmino_cli.report.figures.run_figures import RunFigures, Step
from dolmino_cli.report.page.bars import Segment, bar
from dolmino_cli.report.page.histogram_figure import histogram_figure
from dolmino_cli.report.page.markup import foreign, node
from dolmino_cli.report.page.tables import Column, row, table
from dolmino_cli.report.phrases import account, unfinished_note

_EXAMPLES = (
    Column(heading="score", kind="n"),
    Column(heading="id"),
    Column(heading="outcome", kind="wide"),
    Column(heading="begins with"),
)


def run_section(report: RunReport, *, anchor: str, open_examples: bool) -> Element:
    """The section of one run."""
    run = report.figures
    heading = node("h3", run.name, node("small", foreign(run.label, class_="path")) if run.label != run.name else None)
    return node(
        "section",
        heading,
        node("p", run.source, class_="note") if run.source else None,
        node("p", unfinished_note(run), class_="warning") if not run.complete else None,
        _account(run),
        waterfall(run) if run.decided else None,
        node("div", (histogram_figure(one, run.unit) for one in report.histograms), class_="histograms"),
        node("p", "No scores: attributes/ is not there.", class_="note") if run.keeps and not report.has_attributes else None,
        (_examples(one, open_examples) for one in report.examples if one.kept or one.dropped),
        id=anchor,
        class_="run",
    )


def _account(run: RunFigures) -> Element:
    """In words: where everything went."""
    if not run.decided:
        return node("p", account(run), class_="account")
    return node(
        "p",
        *(node("b", f"{run.records_in:,}"), f" {run.unit} in = ", node("b", f"{run.kept:,}", class_="kept-text"), " kept + "),
        *(node("b", f"{run.dropped:,}", class_="dropped-text"), " dropped + "),
        *(node("b", f"{run.quarantined:,}"), " quarantined"),
        class_="account",
    )


def waterfall(run: RunFigures) -> Element:
    """A row per way to be dropped, each with its piece of the bar that the row above left."""
    headings = (
        Column(heading=""),
        Column(heading="", kind="picture"),
        Column(heading=run.unit, kind="n"),
        Column(heading="text", kind="n wide"),
        Column(heading="retention", kind="n"),
        Column(heading="expected", kind="n"),
    )
    return table(f"What became of every one of {run.name}", headings, _waterfall_rows(run, headings), kind="waterfall")


def _waterfall_rows(run: RunFigures, headings: Sequence[Column]) -> Iterator[Element]:
    scale = 100 / max(run.records_in, 1)
    text_in = "" if run.text_in_bytes is None else big_bytes(run.text_in_bytes)
    whole = [Segment(start=0, length=scale * run.records_in, kind="in")]
    yield row(headings, ["in", bar(f"{run.records_in:,} in", whole), f"{run.records_in:,}", text_in, "", ""])
    left = run.records_in
    if run.quarantined:
        left -= run.quarantined
        gone = [Segment(start=scale * left, length=scale * run.quarantined, kind="quarantined")]
        said = f"{run.quarantined:,} quarantined"
        yield row(headings, ["unreadable, quarantined", bar(said, gone), f"−{run.quarantined:,}", "", "", ""])
    for step in run.steps:
        left -= step.dropped
        pieces = [
            Segment(start=0, length=scale * left, kind="left"),
            Segment(start=scale * left, length=scale * step.dropped, kind="dropped"),
        ]
        yield row(headings, [*_step_cells(step, bar(f"{step.dropped:,} dropped: {step.reason}", pieces))])
    kept = bar(f"{run.kept:,} kept", [Segment(start=0, length=scale * run.kept, kind="kept")])
    text_kept = "" if run.text_kept_bytes is None else big_bytes(run.text_kept_bytes)
    yield row(headings, ["kept", kept, f"{run.kept:,}", text_kept, percent(run.kept_percent), ""], kind="total")


def _step_cells(step: Step, picture: Element) -> Iterator[Element | str]:
    yield node("span", step.reason, node("small", step.rule) if step.rule else None)
    yield picture
    yield f"−{step.dropped:,}" if step.dropped else "0"
    yield f"−{big_bytes(step.bytes_dropped)}" if step.bytes_dropped else ""
    of_all = " of all" if step.expect is not None and step.expect.of == "all" else ""
    yield percent(step.retention_percent) + of_all
    yield expectation(step)


def expectation(step: Step) -> Element | str:
    """The published band, and in words and colour whether retention lies in it."""
    if step.expect is None:
        return ""
    if step.is_as_expected is None:
        return step.expect.band
    mark = "✓" if step.is_as_expected else "✗"
    said = "as expected" if step.is_as_expected else "not as expected"
    return node("span", f"{step.expect.band} {mark}", class_="good" if step.is_as_expected else "bad", title=said)


def _examples(examples: Examples, is_open: bool) -> Element:
    boundary = examples.boundary
    rule = f"{boundary.keep.score} {boundary.sign} {boundary.bound:.10g}"
    counts = f"{len(examples.kept):,} that meet it, {len(examples.dropped):,} that do not"
    higher, lower = (examples.kept, examples.dropped) if boundary.kept.side == "above" else (examples.dropped, examples.kept)
    between = node("tr", node("th", f"keep {rule}", scope="colgroup", colspan=str(len(_EXAMPLES))), class_="between")
    rows = [*(_example_row(one) for one in reversed(higher)), between, *(_example_row(one) for one in lower)]
    lacking = "Texts that are not shown were not written: run `dolmino filter` with --rejects to have those of dropped documents."
    return node(
        "details",
        node("summary", "Documents at the bound ", node("code", rule), node("span", f" {counts}", class_="note")),
        table(f"Documents nearest to {rule}, by score", _EXAMPLES, rows, kind="examples"),
        node("p", lacking, class_="note") if examples.lacks_texts else None,
        open="" if is_open else None,
    )


def _example_row(example: Example) -> Element:
    text = "" if example.text is None else foreign(example.text + ("…" if example.is_cut else ""), class_="text")
    side = "kept" if example.became == "kept" else "dropped" if example.became else None
    became = node("span", example.became, class_=f"{side}-text" if side else None)
    return row(_EXAMPLES, [f"{example.score:.7g}", foreign(example.id), became, text])
