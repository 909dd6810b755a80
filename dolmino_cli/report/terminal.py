"""The report in the terminal: the page's figures as tables, histograms in block characters."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from dolmino_cli.report.amounts import big_bytes, big_tokens, percent
from dolmino_cli.report.block_histogram import histogram_lines
from dolmino_cli.report.figures.example_texts import Example, Examples
from dolmino_cli.report.figures.gathered import Report, RunReport
from dolmino_cli.report.figures.mix_figures import MixFigures, Share
from dolmino_cli.report.figures.run_figures import RunFigures
from dolmino_cli.report.phrases import account, mix_note, mix_size, unfinished_note, visible

_BAR_COLUMNS = 30
_TEXT_CHARACTERS = 120


def tables(report: Report) -> Iterator[Table | str]:
    """Everything of `report`, in the page's order."""
    for mix in report.mixes:
        yield _mix_table(mix)
        if mix.is_sampled:
            yield mix_note(mix)
    for run in report.runs:
        yield from _run_tables(run)
    for run in report.runs:
        for hits in run.overlaps:
            named = "; ".join(f"{visible(name)} {documents:,}" for name, documents in hits.named_most)
            task = f"{hits.instances:,} of {visible(hits.task)}"
            yield f"{run.figures.name}: {hits.documents:,} documents dropped for their overlap with {task}: {named}"


def _run_tables(report: RunReport) -> Iterator[Table | str]:
    run = report.figures
    if run.decided:
        yield _waterfall(run)
        yield account(run)
    else:
        yield f"{run.name}: {account(run)}"
    if not run.complete:
        yield unfinished_note(run)
    for histogram in report.histograms:
        yield "\n".join(["", *histogram_lines(histogram, run.unit)])
    for examples in report.examples:
        if examples.kept or examples.dropped:
            yield _examples(examples)


def _waterfall(run: RunFigures) -> Table:
    table = _table(f"{run.name} ({run.label})", ("", ""), (run.unit, "text", "retention", "expected"))
    scale, left = 1 / max(run.records_in, 1), run.records_in
    text_in = "" if run.text_in_bytes is None else big_bytes(run.text_in_bytes)
    _add(table, "in", _bar(0, 1.0 if left else 0.0), f"{left:,}", text_in, "", "")
    if run.quarantined:
        left -= run.quarantined
        _add(table, "quarantined", _bar(scale * left, scale * run.quarantined), f"-{run.quarantined:,}", "", "", "")
    for step in run.steps:
        left -= step.dropped
        _add(
            table,
            f"dropped: {step.reason}" + (f" ({step.rule})" if step.rule else ""),
            _bar(scale * left, scale * step.dropped),
            f"-{step.dropped:,}" if step.dropped else "0",
            f"-{big_bytes(step.bytes_dropped)}" if step.bytes_dropped else "",
            percent(step.retention_percent),
            "" if step.expect is None else step.expect.band + {True: " ok", False: " NOT MET", None: ""}[step.is_as_expected],
        )
    table.add_section()
    text_kept = "" if run.text_kept_bytes is None else big_bytes(run.text_kept_bytes)
    _add(table, "kept", _bar(0, scale * run.kept), f"{run.kept:,}", text_kept, percent(run.kept_percent), "", style="bold")
    return table


def _examples(examples: Examples) -> Table:
    boundary = examples.boundary
    table = _table(
        f"nearest to {boundary.keep.score} {boundary.sign} {boundary.bound:.10g}", ("", "id", "begins with"), ("score",)
    )
    for side, found in (("meets it", examples.kept), ("does not", examples.dropped)):
        for example in found:
            _add(table, side, example.id, _beginning(example), f"{example.score:.7g}")
    return table


def _beginning(example: Example) -> str:
    if example.text is None:
        return "(not written: filter with --rejects)"
    return " ".join(example.text[:_TEXT_CHARACTERS].split())


def _mix_table(mix: MixFigures) -> Table:
    numbers = ("Mix %", "planned", "published", "Source %", "planned", "epochs", "tokens", "documents")
    table = _table(f"{mix.name}: {mix_size(mix)}", ("source", ""), numbers)
    shares = [*mix.sources]
    for group in mix.groups:
        shares.insert(next(place for place, share in enumerate(shares) if share.group == group.name), group)
    most = max(share.mix_percent for share in shares) or 1
    for share in shares:
        _add(table, *_share_cells(share, most), style="bold" if share.is_group else None)
    table.add_section()
    _add(table, "total", "", "100 %", "", "", "", "", "", big_tokens(mix.tokens), f"{mix.documents:,}", style="bold")
    return table


def _share_cells(share: Share, most: float) -> Iterator[str]:
    yield share.name
    yield _bar(0, share.mix_percent / most)
    yield percent(share.mix_percent, 2)
    yield percent(share.planned_mix_percent, 2)
    yield "" if share.published_mix_percent is None else f"{share.published_mix_percent:g} %"
    yield percent(share.source_percent, 2)
    yield percent(share.planned_source_percent, 2)
    yield f"{share.source_percent / 100:.3g}"
    yield big_tokens(share.taken)
    yield f"{share.documents:,}"


def _bar(start: float, length: float) -> str:
    """A piece of a bar of _BAR_COLUMNS; what is there at all is one column at least."""
    first = min(round(start * _BAR_COLUMNS), _BAR_COLUMNS - 1)
    columns = min(max(round(length * _BAR_COLUMNS), 1), _BAR_COLUMNS - first) if length > 0 else 0
    return " " * first + "█" * columns


def _table(title: str, texts: tuple[str, ...], numbers: tuple[str, ...]) -> Table:
    table = Table(title=Text(visible(title)), title_justify="left")
    for heading in texts:
        table.add_column(heading, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _add(table: Table, *cells: str, style: str | None = None) -> None:
    """A row of plain text: what looks like Rich's markup, or moves a terminal's cursor, is shown as it is."""
    table.add_row(*(Text(visible(cell)) for cell in cells), style=style)
