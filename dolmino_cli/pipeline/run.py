"""A recipe over all shards: what is done already, what is left, and the summary of the whole."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from dolmino_cli import __version__
from dolmino_cli.errors import ConfigError
from dolmino_cli.executors.attempt import attempt_all
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.executor import Executor, Phase
from dolmino_cli.pipeline import PRELOAD, existing_scores
from dolmino_cli.pipeline.help import with_help
from dolmino_cli.pipeline.memory import check_fits
from dolmino_cli.pipeline.names import attributes_name
from dolmino_cli.pipeline.part_records import PartRecords, begun_shards, refuse_changed, remove_empty_folders, remove_parts
from dolmino_cli.pipeline.placed import placed
from dolmino_cli.pipeline.shard_task import Options, ShardTask, run_shard
from dolmino_cli.pipeline.tally import StageTally, total
from dolmino_cli.recipe import Recipe, recipe_hash, stage_name
from dolmino_cli.shards.ledger import LedgerEntry, load, load_all
from dolmino_cli.shards.listing import Shard
from dolmino_cli.shards.storage import Output

SUMMARY_VERSION = 1


@dataclass(kw_only=True)
class Run:
    """A planned run: finished entries by shard name, and the tasks left."""

    recipe: Recipe
    output: str
    options: Options
    loaded: dict[str, dict[str, str]]
    run_recipe: dict[str, Any]
    shards: Sequence[Shard]
    finished: dict[str, LedgerEntry]
    tasks: list[ShardTask] = field(default_factory=list)
    _tally: tuple[int, StageTally] | None = None

    @property
    def tally(self) -> StageTally:
        """Counts over the finished shards."""
        # Asked for several times at the end, of up to 100,000 shards.
        if self._tally is None or self._tally[0] != len(self.finished):
            summed = total((StageTally.of_entry(entry) for entry in self.finished.values()), self.recipe.drops)
            self._tally = len(self.finished), summed
        return self._tally[1]

    @property
    def seconds(self) -> dict[str, float]:
        """Worker seconds per score, decision, read and write, over the finished shards."""
        summed: defaultdict[str, float] = defaultdict(float)
        for entry in self.finished.values():
            for name, value in entry.seconds.items():
                summed[name] += value
        return summed


def plan_run(
    recipe: Recipe,
    shards: Sequence[Shard],
    output: str,
    options: Options,
    *,
    executor: Executor | None = None,
    memory_bytes: int | None = None,
) -> Run:
    """Prepare the measures and find which shards are left to do; those that want a GPU where `executor` has some.

    A shard during which its worker has more than `memory_bytes` fails. Raises ConfigError when the output folder holds a run of
    another recipe, other options or other inputs, naming what changed; and where the largest document would not fit into memory.
    """
    if memory_bytes is not None:
        check_fits(memory_bytes, options.max_document_bytes)
    if not options.decide and not recipe.measures:
        raise ConfigError(f"recipe {recipe.name!r} measures nothing: nothing to score; use `dolmino filter`")
    _refuse_clashing_names(shards)
    as_run = placed(recipe, executor) if executor is not None and not options.scores else recipe
    loaded = prepare(as_run, options)
    run_recipe = {**recipe.resolved(), "options": options.recorded(), "loaded": loaded}
    finished = _finished(shards, output, run_recipe)
    _refuse_other_parts(shards, output, run_recipe)
    tasks = [
        ShardTask(
            shard=shard,
            recipe=as_run,
            loaded=loaded,
            run_recipe=run_recipe,
            output=output,
            options=options,
            memory_bytes=memory_bytes,
        )
        for shard in shards
        if shard.name not in finished
    ]
    return Run(
        recipe=recipe,
        output=output,
        options=options,
        loaded=loaded,
        run_recipe=run_recipe,
        shards=shards,
        finished=finished,
        tasks=tasks,
    )


def prepare(recipe: Recipe, options: Options) -> dict[str, dict[str, str]]:
    """What every measure and edit loads, by score or edit name; scores taken from an earlier run need nothing.

    Raises ConfigError where the options do not go with edits: those write what later stages measure, so that documents
    cannot be measured without them, or after they were dropped.
    """
    for edit in recipe.edits:
        if not options.decide or options.measure_dropped:
            asked = "--measure-dropped" if options.decide else "`dolmino score`"
            raise ConfigError(f"{asked}: recipe {recipe.name!r} writes documents anew ({stage_name(edit)}); use `dolmino filter`")
    loaded = {stage_name(edit): edit.prepare() for edit in recipe.edits}
    if options.scores:
        return existing_scores.check_same_measures(options.scores, recipe) | loaded
    return {measure.into: measure.prepare() for measure in recipe.measures} | loaded


def execute(run: Run, executor: Executor, *, counters: Counters | None = None) -> Iterator[LedgerEntry]:
    """Run the tasks left; yields each shard's entry as it finishes. `finish` must be called after the last.

    All shards are tried: one that fails does not stop the others, and at the end RunFailed (or, for a single failure,
    that failure) is raised.
    """
    output, phase = Output(run.output), _phase(run)
    with executor.claim(output):
        output.put("run.json", _summary(run, complete=False))
        _remove_parts_of_finished(run)
        # Shares help each other: what counts is the workers of all of them.
        tasks = with_help(run.tasks, getattr(executor, "together", executor.workers))
        for task, entry in attempt_all(
            executor, run_shard, tasks, phase=phase, what="shards", output=output, counters=counters, preload=PRELOAD
        ):
            if entry is not None and task.shard.name not in run.finished:
                run.finished[task.shard.name] = entry
                yield entry
        for name in {task.shard.name for task in run.tasks} - set(run.finished):
            entry = load(output, name)  # of a shard that others finished while this process helped with it
            if entry is not None:
                run.finished[name] = entry
                yield entry
        remove_empty_folders(output)


def finish(run: Run) -> None:
    """Write the run's summary, after every shard is done."""
    assert len(run.finished) == len(run.shards), "finish called before every shard was done"
    Output(run.output).put("run.json", _summary(run, complete=True))


def unmet_expectations(run: Run) -> list[str]:
    """Decisions whose retention left its published band, in words."""
    problems = []
    tally = run.tally
    for number, drop in enumerate(run.recipe.drops):
        if drop.expect is None:
            continue
        got = tally.retention_percent(number, drop.expect.of)
        if got is not None and abs(got - drop.expect.percent) > drop.expect.within:
            what = "all documents" if drop.expect.of == "all" else "documents"
            problems.append(f"{drop.reason} keeps {got:.1f} % of {what}, expected {drop.expect.band}")
    return problems


def _phase(run: Run) -> Phase:
    output = Output(run.output)
    return Phase(
        name="filter" if run.options.decide else "score",
        name_of=lambda task: task.shard.name,
        recorded=lambda task: load(output, task.shard.name),
        folder="ledger",
        gathered=False,
    )


def _finished(shards: Sequence[Shard], output: str, run_recipe: dict[str, Any]) -> dict[str, LedgerEntry]:
    by_name = {shard.name: shard for shard in shards}
    finished = {}
    for entry in load_all(Output(output)):
        shard = by_name.get(entry.name)
        if shard is None:
            raise ConfigError(
                f"{output} holds results of {entry.name!r}, which is not among the inputs now; "
                "give the same inputs, or another --output"
            )
        refuse_changed(entry, Output(output), shard, run_recipe)
        finished[entry.name] = entry
    return finished


def _refuse_other_parts(shards: Sequence[Shard], output: str, run_recipe: dict[str, Any]) -> None:
    """Raises ConfigError where parts of shards are there that are not of this run."""
    by_name = {shard.name: shard for shard in shards}
    for name, number in begun_shards(Output(output)).items():
        if name not in by_name:
            raise ConfigError(
                f"{output} holds parts of {name!r}, which is not among the inputs now; give the same inputs, or another --output"
            )
        PartRecords(Output(output), by_name[name], run_recipe).load(number)


def _remove_parts_of_finished(run: Run) -> None:
    """Remove parts of shards that were put together by a worker that was killed then."""
    for name in begun_shards(Output(run.output)):
        if name in run.finished:
            remove_parts(Output(run.output), name)


def _refuse_clashing_names(shards: Sequence[Shard]) -> None:
    written: dict[str, Shard] = {}
    for shard in shards:
        name = f"attributes/{attributes_name(shard.name)}"  # of documents, fewer have one name: JSONL and Parquet differ
        other = written.setdefault(name, shard)
        if other is not shard:
            raise ConfigError(f"{other.path} and {shard.path} would both be written to {name}; run them into two outputs")


def _summary(run: Run, *, complete: bool) -> bytes:
    content = {
        "dolmino_run": SUMMARY_VERSION,
        "dolmino": __version__,
        "complete": complete,
        "source": run.recipe.source,
        "licence": run.recipe.licence,
        "reference": run.recipe.reference,
        "recipe": run.recipe.resolved(),
        "recipe_sha256": recipe_hash(run.recipe.resolved(), run.loaded),
        "options": run.options.recorded(),
        "loaded": run.loaded,
        "shards": len(run.shards),
        "input_bytes": sum(shard.bytes for shard in run.shards),
        "counts": run.tally.counts(),
        "bytes": run.tally.bytes(),
        "seconds": {name: round(value, 3) for name, value in run.seconds.items()},
        "unmet_expectations": unmet_expectations(run),
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
