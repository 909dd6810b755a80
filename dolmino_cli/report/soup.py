"""What a soup is made of, and how its ingredients were selected, as tables."""

from __future__ import annotations

from rich.table import Table

from dolmino_cli.train.soup.greedy import Selection
from dolmino_cli.train.soup.plan import SoupPlan


def soup_table(plan: SoupPlan) -> Table:
    """A line per ingredient with its part of the soup; those that are soups themselves say of how many."""
    table = Table()
    table.add_column("checkpoint", overflow="fold")
    table.add_column("weight", justify="right", no_wrap=True)
    table.add_column("itself", no_wrap=True)
    for ingredient, weight in zip(plan.ingredients, plan.weights, strict=True):
        inner = len(ingredient.soup.get("ingredients", [])) if ingredient.soup is not None else 0
        table.add_row(ingredient.name, f"{weight:.4f}", f"a soup of {inner}" if inner else "")
    return table


def trials_table(selection: Selection) -> Table:
    """Every checkpoint alone, best first, then every soup that was tried."""
    table = Table()
    table.add_column("tried", overflow="fold")
    table.add_column("metric", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    singles = len({member for trial in selection.trials for member in trial.members})
    for number, trial in enumerate(selection.trials):
        if number == singles:
            table.add_section()
        said = "kept" if trial.kept else "" if len(trial.members) == 1 else "worse: the last one is left out"
        table.add_row(" + ".join(trial.members), f"{trial.metric:g}", said)
    return table
