"""The options of every verb that runs tasks: where, with how many workers, which share of them. Worded once."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from dolmino_cli.errors import ConfigError

if TYPE_CHECKING:
    from dolmino_cli.executors.executor import Executor

_Workers = Annotated[
    int,
    typer.Option("--workers", "-w", min=1, metavar="N", help="Worker processes; the output does not depend on it."),
]
_Shard = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Do share I (from 0) of N, then help with the rest: for batch systems that start the command N times.",
    ),
]
_Executor = Annotated[str, typer.Option("--executor", metavar="local|ray|slurm", help="Where tasks run.")]
EXECUTORS = ("local",)


@dataclass(frozen=True, kw_only=True)
class ExecutorOptions:
    """What was asked for. `runs_tasks` makes an option of every field."""

    workers: _Workers = 1
    executor: _Executor = "local"
    shard: _Shard = None

    def start_early(self, preload: Sequence[str]) -> None:
        """Begin to import what local workers will need, while this process plans the run."""
        if self.executor == "local" and self.workers > 1:
            from dolmino_cli.executors.local import start_early

            start_early(preload)

    def make(self, output: str) -> Executor:
        """The executor that was asked for, of a run that writes to `output`. Raises ConfigError."""
        from dolmino_cli.executors.local import Local

        if self.executor not in EXECUTORS:
            raise ConfigError(f"--executor {self.executor!r}: allowed: {', '.join(EXECUTORS)}")
        from dolmino_cli.executors.directed import Directed
        from dolmino_cli.shards.output import Output

        if self.shard is None:
            return Directed(executor=Local(workers=self.workers), name="local", output=Output(output))
        from dolmino_cli.executors.shared import Shared, parse_share

        index, of = parse_share(self.shard)
        return Shared(index=index, of=of, output=Output(output), workers=self.workers)


def runs_tasks(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with the options of ExecutorOptions in place of its parameter `how: ExecutorOptions`."""
    of_verb = inspect.signature(verb, eval_str=True)
    hints = get_type_hints(ExecutorOptions, include_extras=True)
    options = {
        field.name: inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in dataclasses.fields(ExecutorOptions)
    }

    @functools.wraps(verb)
    def with_options(**given: Any) -> None:
        how = ExecutorOptions(**{name: given.pop(name) for name in options})
        verb(**given, how=how)

    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for name, parameter in of_verb.parameters.items() if name != "how"
    ]
    # Typer reads the signature.
    with_options.__signature__ = of_verb.replace(parameters=[*own, *options.values()])  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *options.values())}
    return with_options
