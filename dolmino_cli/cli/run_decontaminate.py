"""What the verbs of `dolmino decontaminate` do after parsing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dolmino_cli.cli.console import remark, show
from dolmino_cli.errors import ConfigError, RunFailed
from dolmino_cli.executors.local import Local
from dolmino_cli.report import decontamination as report
from dolmino_cli.shards.listing import list_shards
from dolmino_cli.shards.model_cache import file_sha256
from dolmino_cli.sources import contamination, planted
from dolmino_cli.sources.evaluation_index import IndexOptions, build_index
from dolmino_cli.sources.evaluation_sets import EvaluationSet, files_of, load_sets
from dolmino_cli.stages.ngram_index import load_index


def run_index(
    evals: Sequence[str],
    fields: tuple[str, ...],
    names: Mapping[str, str],
    *,
    output: str,
    options: IndexOptions,
    dry_run: bool,
) -> None:
    """Index `evals`: YAML files list their own sets; `fields` and `names` are of the other ones. Raises DolminoError."""
    sets: list[EvaluationSet] = []
    for given in evals:
        if given.endswith((".yaml", ".yml")):
            sets.extend(load_sets(Path(given)))
        elif not fields:
            raise ConfigError(f"{given}: say which of its fields make an instance: --fields question --fields context,question")
        else:
            sets.append(EvaluationSet(path=given, fields=fields, **names))
    files = [path for evaluation in sets for path in files_of(evaluation)]
    remark(f"{len(files):,} evaluation files")
    if dry_run:
        show("\n".join([*files, f"nothing was written to {output}"]))
        return
    build_index(sets, output, options)
    show_index(output, most_too_short=10)
    show(f"written to {output}")


def show_index(path: str, *, most_too_short: int | None) -> None:
    """Print what is in the index."""
    index = load_index(path)
    show(report.index_table(index))
    show("\n".join([*report.too_short_lines(index, most=most_too_short), *report.index_lines(index, file_sha256(index.path))]))


def run_review(run: str, *, task: str, limit: int, index: str) -> None:
    """Print findings side by side, then the report per task."""
    loaded = load_index(index or contamination.index_of(run))
    found = list(contamination.findings(run))
    tasks = contamination.by_task(found)
    if task and task not in tasks:
        raise ConfigError(f"--task {task}: nothing was found of it; found: {', '.join(tasks) or 'nothing at all'}")
    shown = [finding for finding in found if not task or finding.task == task][:limit]
    texts = contamination.texts_of(run, shown)
    for finding in shown:
        show(report.side_by_side(finding, texts[finding], loaded))
    show(report.task_table(tasks))
    show(f"{len(found):,} documents dropped, {len(shown):,} shown")


def run_selftest(path: str, clean: Sequence[str], *, per_length: int, workers: int) -> None:
    """Print recall and false positives. Raises RunFailed for a verbatim instance that the default rule misses."""
    index = load_index(path)
    recalls = list(planted.measure_recall(index, per_length=per_length))
    show(report.recall_table(recalls))
    if clean:
        measured = planted.measure_clean(index, list_shards(clean), Local(workers=workers))
        show("\n".join(report.clean_lines(measured, index)))
    missed = planted.missed(recalls)
    if missed:
        raise RunFailed(f"{missed:,} instances of three words or more, planted verbatim, were not found by the default rule")
