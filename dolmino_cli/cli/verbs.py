"""The verbs of `dolmino`: where each is, and how it is found.

A verb is imported, and its options are built, when it is asked for. To do so with all of them takes 0.2 s, in every command.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import typer
import typer.core
import typer.main

# In the order of the help. `verb`: the function, or the Typer application of several, in `dolmino_cli/cli/<verb>.py`.
VERBS = {
    "filter": "filter_shards",
    "score": "score_shards",
    "recipe": "app",
    "decontaminate": "app",
    "rewrite": "rewrite",
    "classifier": "app",
    "retokenize": "retokenize",
    "join": "app",
    "generate": "app",
    "mix": "app",
    "microanneal": "app",
    "sample": "sample",
    "trace": "trace",
    "train": "train",
    "checkpoint": "app",
    "soup": "soup",
    "eval": "evaluate",
    "jobs": "app",
    "report": "report",
    "clean": "clean",
}


class VerbGroup(typer.core.TyperGroup):
    """The group of the verbs above, for `typer.Typer(cls=...)`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "commands": _Commands(settings["rich_markup_mode"])})

    def format_commands(self, context: Any, formatter: Any) -> None:
        """Write the list of verbs: a line of each one's help, for which nothing is built."""
        whole = self.commands
        self.commands = {verb: typer.core.TyperCommand(verb, help=_help(_found(verb))) for verb in VERBS}
        super().format_commands(context, formatter)
        self.commands = whole


class _Commands(Mapping[str, Any]):
    """Verb -> command, built when it is looked up."""

    def __init__(self, rich_markup_mode: Any) -> None:
        self._rich_markup_mode = rich_markup_mode
        self._built: dict[str, Any] = {}

    def __getitem__(self, verb: str) -> Any:
        if verb not in self._built:
            found = _found(verb)
            holder = typer.Typer(rich_markup_mode=self._rich_markup_mode)
            if isinstance(found, typer.Typer):
                holder.add_typer(found, name=verb)
            else:
                holder.command(verb)(found)
            self._built[verb] = typer.main.get_group(holder).commands[verb]
        return self._built[verb]

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)


def _found(verb: str) -> Any:
    """The function or application of a verb. Raises KeyError."""
    attribute = VERBS[verb]
    return getattr(importlib.import_module(f"dolmino_cli.cli.{verb}"), attribute)


def _help(found: Any) -> str:
    text = found.info.help if isinstance(found, typer.Typer) else inspect.getdoc(found)
    assert isinstance(text, str), "a verb has a help"
    return text
