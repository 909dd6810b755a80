"""The greedy soup: of many checkpoints, those whose mean scores best (Wortsman et al. 2022, arXiv:2203.05482, recipe 1)."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dolmino_cli.errors import StorageError
from dolmino_cli.train.evaluation.metric_command import MetricCommand
from dolmino_cli.train.soup.cook import cook
from dolmino_cli.train.soup.ingredient import Ingredient
from dolmino_cli.train.soup.plan import plan_soup
from dolmino_cli.train.unfinished_folder import alone_in


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One checkpoint or one soup, scored."""

    members: tuple[str, ...]
    metric: float
    kept: bool
    """Of a single checkpoint: is it the first of the soup? Of a soup: did it score no worse than the one before?"""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What went into the soup, the best first, and every trial in order."""

    chosen: tuple[Ingredient, ...]
    metric: float
    trials: tuple[Trial, ...]

    def record(self, metric: MetricCommand) -> dict[str, Any]:
        """For soup.json."""
        return {"rule": "greedy", "metric": asdict(metric), "trials": [asdict(trial) for trial in self.trials]}


def select(
    ingredients: Sequence[Ingredient], metric: MetricCommand, *, output: Path, say: Callable[[Trial], None] | None = None
) -> Selection:
    """Score each checkpoint alone; start with the best; add each other, best first, if the soup then scores no worse (>=).

    Equal scores keep the order given. Soups are plain means in the checkpoints' own dtype, written to `.NAME.trial` beside
    `output` (with room for one) and removed after their trial, or by the next selection if this one is killed; n checkpoints are
    2n - 1 runs of the command. `say` is told of each trial as it ends.
    Raises RunFailed when the command fails, or where another process selects for `output`; StorageError.
    """
    plan_soup(ingredients)  # they agree, or nothing is run
    scratch = output.with_name(f".{output.name}.trial")
    try:
        with alone_in(scratch, making=output):
            selection = _select(ingredients, metric, scratch / "soup", say)
            scratch.rmdir()
    except OSError as error:
        raise StorageError(f"{scratch}: no trial can be written there: {error.strerror or error}") from None
    return selection


def _select(
    ingredients: Sequence[Ingredient], metric: MetricCommand, trial: Path, say: Callable[[Trial], None] | None
) -> Selection:
    hashes = {ingredient.folder: ingredient.hashes() for ingredient in ingredients}
    alone = [metric.score(ingredient.folder) for ingredient in ingredients]
    sign = 1 if metric.lower_is_better else -1
    order = sorted(range(len(ingredients)), key=lambda number: sign * alone[number])
    trials: list[Trial] = []

    def tried(members: Sequence[Ingredient], score: float, *, kept: bool) -> None:
        trials.append(Trial(members=tuple(member.name for member in members), metric=score, kept=kept))
        if say is not None:
            say(trials[-1])

    for number in order:
        tried([ingredients[number]], alone[number], kept=number == order[0])
    chosen, best = [ingredients[order[0]]], alone[order[0]]
    for number in order[1:]:
        candidate = [*chosen, ingredients[number]]
        cook(plan_soup(candidate), trial, hashes=hashes)
        score = metric.score(trial)
        shutil.rmtree(trial)
        kept = metric.better(score, best)
        tried(candidate, score, kept=kept)
        if kept:
            chosen, best = candidate, score
    return Selection(chosen=tuple(chosen), metric=best, trials=tuple(trials))
