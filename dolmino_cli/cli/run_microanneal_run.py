"""What `dolmino microanneal run` does after parsing: show the commands, or make the runs and their table."""

from __future__ import annotations

from collections.abc import Sequence

from dolmino_cli.cli.amounts import parse_size
from dolmino_cli.cli.console import remark, show
from dolmino_cli.errors import ConfigError, RunFailed
from dolmino_cli.mix.estimate import Rates, cost_of, run_of
from dolmino_cli.mix.prepare import prepare
from dolmino_cli.report.microanneals import outcomes_table
from dolmino_cli.report.mix_cost import cost_lines
from dolmino_cli.train.checkpoint_folder import local_output
from dolmino_cli.train.evaluation.metric_command import MetricCommand
from dolmino_cli.train.microanneals.anneal import Anneal, anneal_of
from dolmino_cli.train.microanneals.sweep import RESULTS, How, check_sweep, commands, sweep
from dolmino_cli.train.read_run import read_run


def run_sweep(
    plans: Sequence[str],
    *,
    arrays: str | None,
    checkpoint: str | None,
    output: str,
    run: str | None,
    overrides: Sequence[str],
    seed: int | None,
    launch: str | None,
    workers: int,
    memory: str,
    metric: str | None,
    metric_key: str | None,
    tasks: Sequence[str],
    dry_run: bool,
) -> None:
    """Make the runs. Raises RunFailed naming those that failed, when the others are done; other DolminoErrors before."""
    folder = local_output(output)
    if metric is None and metric_key is not None:
        raise ConfigError("--eval-key is of the JSON that --eval prints; give --eval 'CMD {checkpoint}', or leave it out")
    if overrides and run is None:
        raise ConfigError("--set replaces values of --run; give a preset or a file with --run")
    base = read_run(run, overrides) if run is not None else None
    anneals = [anneal_of(plan, base=base, checkpoint=checkpoint, output=folder, seed=seed) for plan in plans]
    how = How(
        arrays=arrays,
        launch=launch,
        workers=workers,
        memory_bytes=parse_size("--memory", memory),
        metric=MetricCommand(command=metric, key=metric_key) if metric is not None else None,
        tasks=tuple(tasks),
    )
    if dry_run:
        check_sweep(anneals)
        for anneal in anneals:
            _show_plan(anneal, how)
        show("nothing was run")
        return
    outcomes, failures = sweep(anneals, how, output=folder, say=remark)
    show(outcomes_table(outcomes.values(), failures))
    show(f"written to {folder / RESULTS}")
    if failures:
        said = "; ".join(f"{name}: {why}" for name, why in failures.items())
        raise RunFailed(f"{len(failures)} of {len(anneals)} microanneals failed, run the same command to go on: {said}")


def _show_plan(anneal: Anneal, how: How) -> None:
    """Costs and commands of one."""
    training = anneal.manifest.training
    assert training is not None
    planned = prepare(anneal.plan, arrays_root=how.arrays)
    itemsize = 2 if planned.request.dtype == "uint16" else 4
    run = run_of(planned.plan, training)
    show(f"{anneal.name}: start {anneal.run.learning_rate.first:g}, seed {anneal.run.seed}")
    for line in cost_lines(planned.plan, training, run, cost_of(planned.plan, run, Rates(), token_bytes=itemsize)):
        show(f"  {line}")
    for command in commands(anneal, how):
        show(f"  $ {command}")
