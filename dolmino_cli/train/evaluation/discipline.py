"""Which items of a task may be asked: of GSM8K's test split GSM* alone; in the final evaluation, the rest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dolmino_cli.errors import ConfigError
from dolmino_cli.train.evaluation.gsm8k import ITEMS, STAR, item_number

STAR_SUFFIX = "-star"
_STAR = frozenset(STAR)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The items of a task that are asked."""

    places: tuple[int, ...]
    """0-based, among the task's documents."""
    of: int
    """How many documents the task has."""
    sha256: str
    """Of those that are asked, in their order."""
    star: bool
    """Only items of GSM*."""
    held_out: bool
    """Items of GSM8K's test split that are not in GSM*."""


def choose(task: str, documents: Sequence[Mapping[str, Any]], *, star: bool, final: bool, limit: int | None = None) -> Chosen:
    """The documents of `task` that may be asked; a task is one of GSM8K if any document asks one of its test items.

    With `star`, those of GSM*; with `final`, all but those; with neither, a task of GSM8K is refused, as is `star` of another.
    """
    numbers = [item_number(document) for document in documents]
    known = len(numbers) - numbers.count(None)
    if star and not known:
        raise ConfigError(f"task {task} asks no item of GSM8K's test split; name it without {STAR_SUFFIX}")
    if known and not star and not final:
        raise ConfigError(
            f"task {task} asks items of GSM8K's test split, {ITEMS - len(STAR):,} of which are held out until all is decided;"
            f" take {task}{STAR_SUFFIX}, its {len(STAR)} items to develop by, or --final, which is recorded"
        )
    held_out = bool(known) and not star
    places = [place for place, number in enumerate(numbers) if not known or (number in _STAR) == star]
    if not places:
        raise ConfigError(f"task {task} has {len(documents):,} documents, and none of them {'in GSM*' if star else 'held out'}")
    places = places[:limit]
    digest = hashlib.sha256()
    for place in places:
        digest.update(json.dumps(documents[place], sort_keys=True, ensure_ascii=False, default=str).encode() + b"\n")
    return Chosen(places=tuple(places), of=len(documents), sha256=digest.hexdigest(), star=star, held_out=held_out)
