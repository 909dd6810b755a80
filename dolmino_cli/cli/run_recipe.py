"""What `filter` and `score` share: list, plan, run with progress, show the waterfall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from dolmino_cli.cli.console import remark, show, tracked
from dolmino_cli.cli.executor_options import ExecutorOptions
from dolmino_cli.errors import ConfigError, RunFailed
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.executor import Executor
from dolmino_cli.pipeline.dry_run import predict
from dolmino_cli.pipeline.run import Run, execute, finish, plan_run, unmet_expectations
from dolmino_cli.pipeline.shard_task import Options
from dolmino_cli.recipe import Recipe
from dolmino_cli.shards.listing import list_shards

T = TypeVar("T", bound=str)

# A row of attributes/ with some scores, of what the compressed document takes.
_SCORES_OF_DOCUMENTS = 0.05


def choose(option: str, value: str, allowed: Sequence[T]) -> T:
    """`value` as one of `allowed`. Raises ConfigError otherwise."""
    for choice in allowed:
        if choice == value:
            return choice
    raise ConfigError(f"{option} {value!r}: allowed: {', '.join(allowed)}")


def run_recipe(
    recipe: Recipe,
    inputs: Sequence[str],
    *,
    output: str,
    options: Options,
    how: ExecutorOptions,
    dry_run: bool,
    fail_unexpected: bool = False,
) -> None:
    """Run `recipe` over `inputs` and print what happened. Raises DolminoError."""
    shards = list_shards(inputs)
    listed_bytes = sum(shard.bytes for shard in shards)
    remark(f"{recipe.title}: {len(shards):,} shards, {listed_bytes / 1e6:,.1f} MB")
    if dry_run:
        from dolmino_cli.report.waterfall import prediction_table

        show(prediction_table(predict(recipe, shards, options, workers=how.workers)))
        return
    executor = how.make(output, recipe=recipe.name)
    run = plan_run(recipe, shards, output, options, executor=executor, memory_bytes=how.memory_bytes)
    for score, loaded in run.loaded.items():
        remark(f"  {score}: {', '.join(f'{key} {value}' for key, value in loaded.items()) or 'nothing to load'}")
    if run.finished:
        remark(f"  {len(run.finished):,} shards are done already and skipped")
    if run.tasks:
        # Documents, at most all of them, and their scores; or scores alone.
        share = 1.0 if options.decide else _SCORES_OF_DOCUMENTS
        how.check_place(output, [task.shard.bytes * share for task in run.tasks])
    _execute(run, executor, how)
    finish(run)
    _show(run, fail_unexpected)


def _execute(run: Run, executor: Executor, how: ExecutorOptions) -> None:
    counters = Counters(workers=how.workers)
    sizes = {task.shard.name: task.shard.bytes for task in run.tasks}
    entries = execute(run, executor, counters=counters)
    what = "score" if not run.options.decide else "filter"
    for _ in tracked(
        entries,
        what=what,
        total_bytes=sum(sizes.values()),
        size_of=lambda entry: sizes[entry.name],
        read=counters.read,
        shards=len(run.tasks),
    ):
        pass


def _show(run: Run, fail_unexpected: bool) -> None:
    from dolmino_cli.report.waterfall import agreement_lines, scores_line, waterfall_table

    if run.options.decide:
        show(waterfall_table(run.recipe, run.tally))
    else:
        show(scores_line(run.recipe, run.tally))
    if run.tally.quarantined:
        show(f"{run.tally.quarantined:,} records quarantined: see {run.output}/quarantine")
    for line in agreement_lines(run.recipe, run.tally):
        show(line)
    near = sum(step.near for step in run.tally.steps)
    if near:
        show(f"{near:,} documents lie closer to a bound than the scoring's tolerance")
    problems = unmet_expectations(run)
    for problem in problems:
        show(f"not as expected: {problem}")
    show(f"written to {run.output}")
    if problems and fail_unexpected:
        raise RunFailed(f"retention left the expected band ({'; '.join(problems)}); outputs are complete")
