"""Repetition and evaluation overlap: what was found where."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from dolmino_cli.report.amounts import percent
from dolmino_cli.report.figures.gathered import Report, RunReport
from dolmino_cli.report.figures.overlaps import TaskHits
from dolmino_cli.report.page.markup import Child, foreign, node
from dolmino_cli.report.page.tables import Column, row, table

_FOUND = (
    Column(heading="where"),
    Column(heading="what"),
    Column(heading="found", kind="n"),
    Column(heading="of", kind="n"),
    Column(heading="share", kind="n"),
)
_TASKS = (
    Column(heading="task"),
    Column(heading="run"),
    Column(heading="documents dropped", kind="n"),
    Column(heading="share", kind="n wide"),
    Column(heading="instances", kind="n"),
    Column(heading="instances named most", kind="wide"),
)


def findings_section(report: Report) -> Element | None:
    """The section; None where no recipe looked for either and no mix counted windows."""
    rows = [found for run in report.runs for found in _run_rows(run)]
    for mix in report.mixes:
        if mix.windows:
            share = percent(100 * mix.repeated_windows / mix.windows, 2)
            what = "windows masked for repetition"
            rows.append(row(_FOUND, [mix.name, what, f"{mix.repeated_windows:,}", f"{mix.windows:,}", share]))
    tasks = [(run, hits) for run in report.runs for hits in run.overlaps]
    if not rows:
        return None
    return node(
        "section",
        node("h2", "Repetition and evaluation overlap"),
        table("Found by rules for repetition and for overlap with evaluation sets", _FOUND, rows),
        table("Documents dropped, by the evaluation they overlap with", _TASKS, [_task_row(*one) for one in tasks])
        if tasks
        else None,
        id="findings",
    )


def _run_rows(run: RunReport) -> list[Element]:
    kinds: Sequence[tuple[str, tuple[str, ...]]] = (
        ("dropped for repetition", run.repetition_reasons),
        ("dropped for evaluation overlap", run.overlap_reasons),
    )
    rows = []
    for what, reasons in kinds:
        if reasons:
            found = sum(step.dropped for step in run.figures.steps if step.reason in reasons)
            of = run.figures.records_in
            rows.append(
                row(_FOUND, [run.figures.name, what, f"{found:,}", f"{of:,}", percent(100 * found / of if of else 0.0, 2)])
            )
    return rows


def _task_row(run: RunReport, hits: TaskHits) -> Element:
    of = run.figures.records_in
    most = [node("li", foreign(name), f" {documents:,}") for name, documents in hits.named_most]
    share = percent(100 * hits.documents / of if of else 0.0, 3)
    cells: list[Child] = [
        foreign(hits.task),
        run.figures.name,
        f"{hits.documents:,}",
        share,
        f"{hits.instances:,}",
        node("ul", most),
    ]
    return row(_TASKS, cells)
