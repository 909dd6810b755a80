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
_RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address", metavar="HOST:PORT|local", help="The Ray cluster. Default: RAY_ADDRESS, else that of this machine."
    ),
]
_CpusPerWorker = Annotated[
    float, typer.Option("--cpus-per-worker", min=0, metavar="N", help="CPUs that Ray keeps free for a worker.")
]
_GpusPerWorker = Annotated[
    float, typer.Option("--gpus-per-worker", min=0, metavar="N", help="GPUs that Ray keeps free for every worker.")
]
_GpuWorkers = Annotated[
    int,
    typer.Option(
        "--gpu-workers",
        min=0,
        metavar="N",
        help="On Ray: more workers, with a GPU each, that score for all others what wants one (`classifier`).",
    ),
]
_MemoryPerWorker = Annotated[
    str | None, typer.Option("--memory-per-worker", metavar="SIZE", help="Memory that Ray keeps free for a worker, such as 4GiB.")
]
EXECUTORS = ("local", "ray")


@dataclass(frozen=True, kw_only=True)
class ExecutorOptions:
    """What was asked for. `runs_tasks` makes an option of every field."""

    asked_workers: _Workers = None
    executor: _Executor = "local"
    ray_address: _RayAddress = None
    cpus_per_worker: _CpusPerWorker = 1.0
    gpus_per_worker: _GpusPerWorker = 0.0
    gpu_workers: _GpuWorkers = 0
    memory_per_worker: _MemoryPerWorker = None

    @property
    def workers(self) -> int:
        """Workers that were asked for; 1 where nobody did, also where the executor then takes as many as there is room for."""
        return self.asked_workers or 1

    def start_early(self, preload: Sequence[str]) -> None:
        """Begin to import what local workers will need, while this process plans the run."""
        if self.executor == "local" and self.workers > 1:
            from dolmino_cli.executors.local import start_early

            start_early(preload)

    def make(self, output: str) -> Executor:
        """The executor that was asked for, of a run that writes to `output`. Raises ConfigError."""
        if self.executor not in EXECUTORS:
            raise ConfigError(f"--executor {self.executor!r}: allowed: {', '.join(EXECUTORS)}")
        if self.executor == "ray":
            return self._ray()
        self._refuse_options_of_ray()
        from dolmino_cli.executors.local import Local

        return Local(workers=self.workers)

    def _ray(self) -> Executor:
        from dolmino_cli.cli.amounts import parse_size
        from dolmino_cli.executors.ray import Ray

        memory = self.memory_per_worker
        return Ray(
            address=self.ray_address,
            asked_workers=self.asked_workers,
            cpus_per_worker=self.cpus_per_worker,
            gpus_per_worker=self.gpus_per_worker,
            memory_bytes_per_worker=parse_size("--memory-per-worker", memory) if memory else None,
            gpu_workers=self.gpu_workers,
        )

    def _refuse_options_of_ray(self) -> None:
        for name in ("ray_address", "cpus_per_worker", "gpus_per_worker", "gpu_workers", "memory_per_worker"):
            if getattr(self, name) != getattr(ExecutorOptions, name):
                option = "--" + name.replace("_", "-")
                raise ConfigError(
                    f"{option} says how Ray runs tasks, and they run with --executor {self.executor}; add --executor ray"
                )


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
