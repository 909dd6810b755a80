"""The microanneals of a sweep as a table: what was in them, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.table import Table

from dolmino_cli.report.amounts import big_tokens
from dolmino_cli.train.microanneals.outcome import Outcome


def outcomes_table(outcomes: Iterable[Outcome], failures: Mapping[str, str]) -> Table:
    """A line each. `judged %` is what is not web of the mix, copies are passes over it; losses are the last reading's."""
    shown = list(outcomes)
    scores = list(dict.fromkeys(key for outcome in shown for key in outcome.scores))
    table = Table()
    table.add_column("mix", overflow="fold")
    for column in ("judged %", "copies", "tokens", "steps", "loss"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("loss by source", overflow="fold")
    for key in scores:
        table.add_column(key, justify="right", overflow="fold")
    for outcome in shown:
        found = [f"{outcome.scores[key]:.4g}" if key in outcome.scores else "" for key in scores]
        table.add_row(
            outcome.name,
            f"{outcome.judged_percent:.1f}",
            _copies(outcome.passes),
            big_tokens(outcome.tokens),
            f"{outcome.steps:,}",
            f"{outcome.loss:.4f}",
            ", ".join(f"{name} {loss:.4f}" for name, loss in outcome.loss_by_source.items() if loss is not None),
            *found,
        )
    for name in failures:
        table.add_row(name, *[""] * 4, "failed", "", *[""] * len(scores))
    return table


def _copies(passes: Mapping[str, float]) -> str:
    """One number where all sources are seen equally often, else the least and the most."""
    least, most = min(passes.values(), default=0.0), max(passes.values(), default=0.0)
    return f"{least:.3g}" if most - least < 0.01 * most else f"{least:.3g} to {most:.3g}"
