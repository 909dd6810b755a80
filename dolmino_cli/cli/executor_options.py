"""The options of every verb that runs tasks: where, with how many workers, which share of them. Worded once."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import typer

from dolmino_cli.cli import ray_options, slurm_options
from dolmino_cli.cli.amounts import parse_size
from dolmino_cli.cli.ray_options import CpusPerWorker, GpusPerWorker, GpuWorkers, MemoryPerWorker, RayAddress
from dolmino_cli.cli.slurm_options import ArraySize, Detach, JobFolder, SlurmOption, TimeLimit
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
_Shard = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Do share I (from 0) of N, then help with the rest: for batch systems that start the command N times.",
    ),
]
_Executor = Annotated[str, typer.Option("--executor", metavar="local|ray|slurm", help="Where tasks run.")]
_Metrics = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="FILE",
        help="Keep figures of the run in FILE, for Prometheus' textfile collector; with --shard, of the share in one beside it.",
    ),
]
_TaskLogs = Annotated[
    bool, typer.Option("--task-logs", help="Keep a log of every task, not only of those that failed or warned, in logs/.")
]
EXECUTORS = ("local", "ray", "slurm")
HEED_MEMORY = ("filter", "score", "retokenize")
"""Verbs that hold each worker to --memory-per-worker themselves."""


@dataclass(frozen=True, kw_only=True)
class ExecutorOptions:
    """What was asked for. `runs_tasks` makes an option of every field but `verb`: its words, such as `join stackexchange`."""

    asked_workers: _Workers = None
    executor: _Executor = "local"
    ray_address: RayAddress = None
    cpus_per_worker: CpusPerWorker = 1.0
    gpus_per_worker: GpusPerWorker = 0.0
    gpu_workers: GpuWorkers = 0
    memory_per_worker: MemoryPerWorker = None
    shard: _Shard = None
    array_size: ArraySize = None
    time_limit: TimeLimit = None
    slurm_option: SlurmOption = None
    job_folder: JobFolder = None
    detach: Detach = False
    metrics: _Metrics = None
    task_logs: _TaskLogs = False
    verb: str = ""

    @property
    def workers(self) -> int:
        """Workers that were asked for; 1 where nobody did, also where the executor then takes as many as there is room for."""
        return self.asked_workers or 1

    @property
    def memory_bytes(self) -> int | None:
        """What a worker may have. Raises ConfigError."""
        return parse_size("--memory-per-worker", self.memory_per_worker) if self.memory_per_worker is not None else None

    def start_early(self, preload: Sequence[str]) -> None:
        """Begin to import what local workers will need, if anything, while this process plans the run.

        Before anything makes an array of pyarrow. Raises ConfigError where so many workers cannot be.
        """
        if preload and self.executor == "local" and self.workers > 1:
            from dolmino_cli.executors.checks import check_open_files
            from dolmino_cli.executors.local import start_early

            check_open_files(self.workers)  # of what is started later, too
            start_early(preload)
        import dolmino_cli.executors.imported_first  # noqa: F401

    def check_place(self, output: str, file_bytes: Sequence[float]) -> None:
        """Before the work: may `output` be written to, and is there room for files of about these sizes, one for each task?

        Raises ConfigError, StorageError. Where tasks run on other machines, only whether it may be written to.
        """
        from dolmino_cli.executors.checks import check_place
        from dolmino_cli.shards.output import Output

        sizes = sorted(file_bytes, reverse=True) if self.executor == "local" else []
        check_place(Output(output), writes_bytes=round(sum(sizes)), at_once_bytes=round(sum(sizes[: self.workers])))

    def make(self, output: str, *, recipe: str = "") -> Executor:
        """The executor that was asked for, of a run of `recipe` (if it has one) that writes to `output`. Raises ConfigError."""
        executor = self._make(output)
        if self.metrics is not None or self.task_logs:
            executor = self._watched(executor, output, recipe)
        if self.shard is not None:
            return executor
        from dolmino_cli.executors.directed import Directed
        from dolmino_cli.shards.output import Output

        return Directed(executor=executor, name=self.executor, output=Output(output))

    def _watched(self, executor: Executor, output: str, recipe: str) -> Executor:
        from dolmino_cli.executors.metrics import Metrics
        from dolmino_cli.executors.shared import parse_share
        from dolmino_cli.executors.watched import Watched

        labels = {"verb": self.verb, "recipe": recipe, "output": output}
        path = self.metrics
        if path is not None and self.shard is not None:  # shares may run on one machine, and none knows the others' figures
            index, of = parse_share(self.shard)
            path = str(Path(path).with_suffix(f".{index}-of-{of}{Path(path).suffix}"))
            labels["shard"] = self.shard
        metrics = None if path is None else Metrics(path, labels)
        return Watched(executor=executor, metrics=metrics, task_logs=self.task_logs)

    def _make(self, output: str) -> Executor:
        if self.executor not in EXECUTORS:
            raise ConfigError(f"--executor {self.executor!r}: allowed: {', '.join(EXECUTORS)}")
        of_ray = {name: getattr(self, name) for name in ray_options.DEFAULTS}
        if self.executor == "ray":
            if self.shard is not None:
                raise ConfigError("--shard is for batch systems that start the command N times; leave --executor ray out")
            return ray_options.make_ray(workers=self.asked_workers, memory_bytes=self.memory_bytes, **of_ray)
        ray_options.refuse_options_of_ray(self.executor, of_ray)
        if self.memory_per_worker is not None and self.verb not in HEED_MEMORY:
            heeded = ", ".join(f"`{verb}`" for verb in HEED_MEMORY)
            raise ConfigError(f"--memory-per-worker is heeded by {heeded} and Ray; leave it out, or add --executor ray")
        if self.shard is not None:
            from dolmino_cli.executors.shared import Shared, parse_share
            from dolmino_cli.shards.output import Output

            index, of = parse_share(self.shard)
            return Shared(index=index, of=of, output=Output(output), workers=self.workers)
        from dolmino_cli.executors.local import Local

        return Local(workers=self.workers)


def _on_slurm(verb: Callable[..., None], given: dict[str, Any], how: ExecutorOptions) -> None:
    """The verb as a job array; when that has ended, the verb over the finished output, for what it shows. Raises ConfigError."""
    from dolmino_cli.cli.run_slurm import array_job, element_command, run_array

    if how.shard is not None:
        raise ConfigError("--shard is for batch systems that start the command N times; --executor slurm gives shares itself")
    output = given.get("output")
    if output is None:
        raise ConfigError(f"--executor slurm: {how.verb} has no --output that processes could divide; leave it out")
    of_slurm = {name: getattr(how, name) for name in slurm_options.DEFAULTS}
    detach = of_slurm.pop("detach")
    ray_options.refuse_options_of_ray("slurm", {"cpus_per_worker": how.cpus_per_worker, "gpu_workers": how.gpu_workers})
    not_of_elements = [] if how.verb in HEED_MEMORY else ["memory_per_worker"]
    of_this_process = _options_of("executor", "asked_workers", *not_of_elements, *slurm_options.DEFAULTS)
    job = array_job(
        verb=how.verb,
        command=element_command(sys.argv, without={"--dry-run": False, **of_this_process}),
        output=output,
        workers=how.workers,
        memory_bytes_per_worker=parse_size("--memory-per-worker", how.memory_per_worker) if how.memory_per_worker else None,
        **of_slurm,
    )
    here = ExecutorOptions(metrics=how.metrics)
    if given.get("dry_run"):
        verb(**given, how=here)
        typer.echo(job.script())
    elif run_array(job, output=output, detach=detach):
        verb(**given, how=here)


def _options_of(*fields: str) -> dict[str, bool]:
    """The options (`--workers`, `-w`) of these fields of ExecutorOptions, and of each whether a value follows it."""
    hints = get_type_hints(ExecutorOptions, include_extras=True)
    found = [(get_args(hints[field])[0], get_args(hints[field])[1]) for field in fields]
    # In an annotation, Typer takes the first name for the default until it reads the signature.
    return {option: kind is not bool for kind, one in found for option in (one.default, *(one.param_decls or ()))}


def runs_tasks(*, preload: Sequence[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator: the verb with the options of ExecutorOptions in place of its parameter `how: ExecutorOptions`.

    Local workers begin to import `preload` before the verb imports anything itself.
    """
    return functools.partial(_with_options, preload=preload)


def _with_options(verb: Callable[..., None], *, preload: Sequence[str]) -> Callable[..., None]:
    of_verb = inspect.signature(verb, eval_str=True)
    hints = get_type_hints(ExecutorOptions, include_extras=True)
    options = {
        field.name: inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in dataclasses.fields(ExecutorOptions)
        if field.name != "verb"
    }
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

    @functools.wraps(verb)
    def with_options(*, context: typer.Context, **given: Any) -> None:
        words = context.command_path.removeprefix(context.find_root().command_path).strip()
        how = ExecutorOptions(**{name: given.pop(name) for name in options}, verb=words)
        if how.executor == "slurm":
            _on_slurm(verb, given, how)
        else:
            slurm_options.refuse_options_of_slurm(how.executor, how)
            how.start_early(() if given.get("dry_run") else preload)
            verb(**given, how=how)

    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for name, parameter in of_verb.parameters.items() if name != "how"
    ]
    # Typer reads the signature.
    with_options.__signature__ = of_verb.replace(parameters=[context, *own, *options.values()])  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in (context, *own, *options.values())}
    return with_options
