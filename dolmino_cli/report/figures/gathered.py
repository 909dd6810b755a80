"""All that one report shows, gathered from folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from dolmino_cli.report.figures.attributes import Attributes, measure
from dolmino_cli.report.figures.example_texts import Examples, examples_of
from dolmino_cli.report.figures.found import FoundRun, find
from dolmino_cli.report.figures.histogram import Histogram
from dolmino_cli.report.figures.mix_figures import MixFigures, mix_figures
from dolmino_cli.report.figures.overlaps import INDEXED, TaskHits, overlaps, reasons_by_score
from dolmino_cli.report.figures.run_figures import RunFigures, run_figures
from dolmino_cli.stages import STAGES


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """One run: its waterfall, and what its attributes say; without attributes the rest is empty."""

    figures: RunFigures
    has_attributes: bool
    histograms: tuple[Histogram, ...]
    examples: tuple[Examples, ...]
    overlaps: tuple[TaskHits, ...]
    repetition_reasons: tuple[str, ...]
    """Reasons of the decisions over a score that counts repeated n-grams."""
    overlap_reasons: tuple[str, ...]
    """Reasons of the decisions over a score that an evaluation index gives."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Runs and mixes, in the order of the folders given."""

    runs: tuple[RunReport, ...]
    mixes: tuple[MixFigures, ...]


def gather(folders: Sequence[str], *, examples: int) -> Report:
    """The report of everything in or below `folders`, with `examples` documents on each side of a bound.

    Raises ConfigError for a folder with nothing to report, DataError for files that contradict each other.
    """
    runs, mixes = find(folders)
    return Report(
        runs=_told_apart([_run_report(run, examples) for run in runs]),
        mixes=tuple(mix_figures(mix) for mix in mixes),
    )


def _run_report(run: FoundRun, examples: int) -> RunReport:
    figures, attributes, recipe = run_figures(run), Attributes(run.root), run.summary["recipe"]
    if attributes.names and figures.complete and "options" in run.summary:
        attributes.check_whole(figures.records_in - figures.quarantined)
    measured = measure(attributes, figures.keeps, examples=examples)
    edited = any(hasattr(STAGES.get(name), "edit") for stage in recipe.get("stages", ()) for name in stage)
    return RunReport(
        figures=figures,
        has_attributes=bool(attributes.names),
        histograms=measured.histograms,
        examples=examples_of(attributes, measured.boundaries, edited=edited),
        overlaps=overlaps(attributes, recipe),
        repetition_reasons=_reasons(recipe, ("repeated_ngrams",)),
        overlap_reasons=_reasons(recipe, INDEXED),
    )


def _told_apart(runs: Sequence[RunReport]) -> tuple[RunReport, ...]:
    """Runs of one recipe get their folders into their names."""
    times = Counter(run.figures.name for run in runs)
    return tuple(
        replace(run, figures=replace(run.figures, name=f"{run.figures.name}: {run.figures.label}"))
        if times[run.figures.name] > 1
        else run
        for run in runs
    )


def _reasons(recipe: dict[str, Any], measures: Sequence[str]) -> tuple[str, ...]:
    return tuple(reason for reasons in reasons_by_score(recipe, measures).values() for reason in reasons)
