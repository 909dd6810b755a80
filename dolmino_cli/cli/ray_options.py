"""The options of `--executor ray`: which cluster, and what Ray keeps free for a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dolmino_cli.errors import ConfigError

if TYPE_CHECKING:
    from dolmino_cli.executors.ray import Ray

RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray-address", metavar="HOST:PORT|local", help="The Ray cluster. Default: RAY_ADDRESS, else that of this machine."
    ),
]
CpusPerWorker = Annotated[
    float, typer.Option("--cpus-per-worker", min=0, metavar="N", help="CPUs that Ray keeps free for a worker.")
]
GpusPerWorker = Annotated[
    float, typer.Option("--gpus-per-worker", min=0, metavar="N", help="GPUs that Ray keeps free for every worker.")
]
GpuWorkers = Annotated[
    int,
    typer.Option(
        "--gpu-workers",
        min=0,
        metavar="N",
        help="On Ray: more workers, with a GPU each, that score for all others what wants one (`classifier`).",
    ),
]
MemoryPerWorker = Annotated[
    str | None,
    typer.Option(
        "--memory-per-worker",
        metavar="SIZE",
        help="Memory of a worker, like 4GiB: a shard of `filter`, `score`, `retokenize` with more fails. Ray keeps it free.",
    ),
]
DEFAULTS = {"ray_address": None, "cpus_per_worker": 1.0, "gpus_per_worker": 0.0, "gpu_workers": 0}


def make_ray(
    *,
    workers: int | None,
    ray_address: str | None,
    cpus_per_worker: float,
    gpus_per_worker: float,
    gpu_workers: int,
    memory_bytes: int | None,
) -> Ray:
    """The executor; it connects when it is first used. Raises ConfigError."""
    from dolmino_cli.executors.ray import Ray

    return Ray(
        address=ray_address,
        asked_workers=workers,
        cpus_per_worker=cpus_per_worker,
        gpus_per_worker=gpus_per_worker,
        memory_bytes_per_worker=memory_bytes,
        gpu_workers=gpu_workers,
    )


def refuse_options_of_ray(executor: str, given: Mapping[str, Any]) -> None:
    """Raises ConfigError where one of these options is given to another executor, which would not heed it."""
    for name, value in given.items():
        if value != DEFAULTS[name]:
            option = "--" + name.replace("_", "-")
            raise ConfigError(f"{option} is of Ray, and tasks run with --executor {executor}; add --executor ray")
