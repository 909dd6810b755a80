"""A recipe in words: one line of a list, or all that it does."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator
from typing import Any, cast

from dolmino_cli.recipe import Recipe, Stage, stage_name
from dolmino_cli.stages.keep import Keep
from dolmino_cli.stages.stage import edits

_COLUMNS = 110


def list_line(recipe: Recipe) -> str:
    """Name, profiles and source in one line."""
    return f"{recipe.name:<24} {', '.join(recipe.profiles) or '-':<12} {recipe.source}"


def recipe_lines(recipe: Recipe) -> Iterator[str]:
    """The recipe as it would run, in lines: what it is of, then its stages in order."""
    yield recipe.name
    for name, text in (("source", recipe.source), ("licence", recipe.licence), ("reference", recipe.reference)):
        if text:
            yield f"  {name + ':':<11}{text}"
    if recipe.profile:
        others = ", ".join(other for other in recipe.profiles if other != recipe.profile)
        yield f"  {'profile:':<11}{recipe.profile}" + (f" (there is also: {others})" if others else "")
    yield from textwrap.wrap(recipe.notes, _COLUMNS, initial_indent="  ", subsequent_indent="  ")
    for layout in recipe.rows:
        yield f"  {layout}"
    if not recipe.drops:
        yield "  drops nothing"
    for stage in recipe.stages:
        yield f"  {_stage_line(stage)}"


def _stage_line(stage: Stage) -> str:
    if isinstance(stage, Keep):
        expected = f", expected to keep {stage.expect.percent:g} ± {stage.expect.within:g} %" if stage.expect else ""
        return f"keep {stage.rule}, else dropped as {stage.reason!r}{expected}; without a score: {stage.missing}"
    given = {key: value for key, value in dataclasses.asdict(cast(Any, stage)).items() if key != "into" and value is not None}
    parameters = ", ".join(f"{key} {_shown(value)}" for key, value in given.items())
    if edits(stage):
        return f"{stage_name(stage)}: {parameters or 'as it is'}; else dropped as {', '.join(map(repr, stage.reasons))}"
    return f"{stage.into} = {stage_name(stage)}: {parameters}"


def _shown(value: Any) -> str:
    return " or ".join(map(str, value)) if isinstance(value, tuple) else str(value)
