"""The options of every verb that runs tasks: where, with how many workers, which share of them. Worded once."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from dolmino_cli.cli import ray_options
from dolmino_cli.cli.amounts import parse_size
from dolmino_cli.cli.ray_options import CpusPerWorker, GpusPerWorker, GpuWorkers, MemoryPerWorker, RayAddress
from dolmino_cli.errors import ConfigError

if TYPE_CHECKING:
    from dolmino_cli.executors.executor import Executor

_Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        "-w",
        min=1,
        metavar="N",
        help="Worker processes; the output does not depend on it. Default: 1; on Ray one for every CPU of the cluster.",
    ),
]
_Executor = Annotated[str, typer.Option("--executor", metavar="local|ray|slurm", help="Where tasks run.")]
_Metrics = Annotated[
    str | None,
    typer.Option("--metrics", metavar="FILE", help="Keep figures of the run in FILE, for Prometheus' textfile collector."),
]
_TaskLogs = Annotated[
    bool, typer.Option("--task-logs", help="Keep a log of every task, not only of those that failed or warned, in logs/.")
]
EXECUTORS = ("local", "ray")


@dataclass(frozen=True, kw_only=True)
class ExecutorOptions:
    """What was asked for. `runs_tasks` makes an option of every field."""

    asked_workers: _Workers = None
    executor: _Executor = "local"
    ray_address: RayAddress = None
    cpus_per_worker: CpusPerWorker = 1.0
    gpus_per_worker: GpusPerWorker = 0.0
    gpu_workers: GpuWorkers = 0
    memory_per_worker: MemoryPerWorker = None
    metrics: _Metrics = None
    task_logs: _TaskLogs = False

    @property
    def workers(self) -> int:
        """Workers that were asked for; 1 where nobody did, also where the executor then takes as many as there is room for."""
        return self.asked_workers or 1

    @property
    def memory_bytes(self) -> int | None:
        """What a worker may have. Raises ConfigError."""
        return parse_size("--memory-per-worker", self.memory_per_worker) if self.memory_per_worker is not None else None

    def start_early(self, preload: Sequence[str]) -> None:
        """Begin to import what local workers will need, while this process plans the run."""
        if self.executor == "local" and self.workers > 1:
            from dolmino_cli.executors.local import start_early

            start_early(preload)

    def make(self, output: str, *, recipe: str = "", heeds_memory: bool = False) -> Executor:
        """The executor that was asked for, of a run of `recipe` (if it has one) that writes to `output`. Raises ConfigError.

        `heeds_memory`: will the verb itself hold its workers to `memory_bytes`?
        """
        executor = self._make(output, heeds_memory)
        if self.metrics is None and not self.task_logs:
            return executor
        from dolmino_cli.executors.metrics import Metrics
        from dolmino_cli.executors.watched import Watched

        labels = {"verb": _verb(), "recipe": recipe, "output": output}
        metrics = None if self.metrics is None else Metrics(self.metrics, labels)
        return Watched(executor=executor, metrics=metrics, task_logs=self.task_logs)

    def _make(self, output: str, heeds_memory: bool) -> Executor:
        if self.executor not in EXECUTORS:
            raise ConfigError(f"--executor {self.executor!r}: allowed: {', '.join(EXECUTORS)}")
        of_ray = {name: getattr(self, name) for name in ray_options.DEFAULTS}
        if self.executor == "ray":
            return ray_options.make_ray(workers=self.asked_workers, memory_bytes=self.memory_bytes, **of_ray)
        ray_options.refuse_options_of_ray(self.executor, of_ray)
        if self.memory_per_worker is not None and not heeds_memory:
            raise ConfigError("--memory-per-worker is heeded by `filter`, `score` and Ray; leave it out, or add --executor ray")
        from dolmino_cli.executors.local import Local

        return Local(workers=self.workers)


def _verb() -> str:
    """The words of the verb that runs, such as `join stackexchange`."""
    import click

    running = click.get_current_context(silent=True)
    return running.command_path.partition(" ")[2] if running is not None else ""


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
