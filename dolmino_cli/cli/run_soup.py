"""What `dolmino soup` does after parsing: open the checkpoints, select if asked, write their mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast, get_args

from dolmino_cli.cli.console import counted, remark, show
from dolmino_cli.errors import ConfigError
from dolmino_cli.report.amounts import big_tokens
from dolmino_cli.report.soup import soup_table, trials_table
from dolmino_cli.train.checkpoint_folder import checkpoint_folder, local_output
from dolmino_cli.train.evaluation.metric_command import MetricCommand
from dolmino_cli.train.soup.cook import check_output, cook
from dolmino_cli.train.soup.greedy import Trial, select
from dolmino_cli.train.soup.ingredient import Ingredient, open_ingredient
from dolmino_cli.train.soup.plan import Dtype, plan_soup


def run_soup(
    checkpoints: Sequence[str],
    *,
    output: str,
    weights: str | None,
    dtype: str,
    greedy: bool,
    metric: str | None,
    metric_key: str | None,
    lower_is_better: bool,
    dry_run: bool,
) -> None:
    """Write the soup and print what is in it. Raises DolminoError."""
    folder = local_output(output)
    command = _metric(greedy, metric, metric_key, lower_is_better, weights)
    if dtype not in get_args(Dtype):
        raise ConfigError(f"--dtype {dtype!r}: allowed are {', '.join(get_args(Dtype))}")
    if len(checkpoints) < 2:
        raise ConfigError(f"one checkpoint is given, {checkpoints[0]}; a soup is of two or more")
    ingredients: Sequence[Ingredient] = [open_ingredient(name, checkpoint_folder(name)) for name in checkpoints]
    plan = plan_soup(ingredients, weights=_numbers(weights), dtype=cast(Dtype, dtype))
    check_output(folder)
    if dry_run:
        show(soup_table(plan))
        if command is not None:
            show(f"of these, up to {2 * len(ingredients) - 1} runs of --metric would select some, each then counting as much")
        show(f"{_size(plan.bytes, plan.parameters)} in {len(plan.shards):,} files to {folder}; nothing was written")
        return
    found_by: dict[str, Any] | None = None
    if command is not None:
        selection = select(ingredients, command, output=folder, say=_say_trial)
        show(trials_table(selection))
        plan = plan_soup(selection.chosen, dtype=cast(Dtype, dtype))
        found_by = selection.record(command)
    with counted("soup", total=plan.bytes // 1_000_000, unit="MB") as say:
        written = cook(plan, folder, found_by=found_by, watch=lambda done: say(done // 1_000_000, "written"))
    show(soup_table(plan))
    show(f"{'written to' if written else 'the same soup was there already:'} {folder} ({_size(plan.bytes, plan.parameters)})")


def _metric(
    greedy: bool, metric: str | None, key: str | None, lower_is_better: bool, weights: str | None
) -> MetricCommand | None:
    if not greedy:
        if metric is not None or key is not None or lower_is_better:
            raise ConfigError("--metric, --metric-key and --lower-is-better are of --greedy; add it, or leave them out")
        return None
    if metric is None:
        raise ConfigError(
            "--greedy needs --metric 'CMD {checkpoint}', a command that prints a checkpoint's score on its last line"
        )
    if weights is not None:
        raise ConfigError("--greedy is of equal weights; leave --weights out")
    return MetricCommand(command=metric, key=key, lower_is_better=lower_is_better)


def _numbers(weights: str | None) -> list[float] | None:
    if weights is None:
        return None
    try:
        return [float(weight) for weight in weights.split(",")]
    except ValueError:
        raise ConfigError(f"--weights {weights!r}: write a number for each checkpoint, with commas between: 1,1,2") from None


def _say_trial(trial: Trial) -> None:
    remark(f"{' + '.join(trial.members)}: {trial.metric:g}{', kept' if trial.kept else ''}")


def _size(size: int, parameters: int) -> str:
    return f"{big_tokens(parameters)} parameters, {size / 1e9:,.2f} GB"
