"""What a checkpoint scored, as a table: with how many items, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from dolmino_cli.train.evaluation.discipline import Chosen
from dolmino_cli.train.evaluation.harness import Score, TaskResult


def chosen_line(task: str, chosen: Chosen) -> str:
    """Which of a task's items are asked."""
    which = "of GSM*" if chosen.star else "held out until now" if chosen.held_out else "its own"
    return f"{task}: {len(chosen.places):,} of {chosen.of:,} items, {which}"


def results_table(results: Sequence[TaskResult]) -> Table:
    """A line per number."""
    table = Table()
    for column in ("task", "metric"):
        table.add_column(column, no_wrap=True)
    for column in ("shots", "items", "value", "standard error", "95 % interval"):
        table.add_column(column, justify="right", no_wrap=True)
    for result in results:
        for score in result.scores:
            error = f"{score.stderr:.4f}" if score.stderr is not None else ""
            table.add_row(
                result.task, score.metric, str(result.shots), f"{result.items:,}", f"{score.value:.4f}", error, _interval(score)
            )
    return table


def _interval(score: Score) -> str:
    return f"{score.low:.4f} to {score.high:.4f}" if score.low is not None and score.high is not None else ""
