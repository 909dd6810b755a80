"""Run independent tasks on a Ray cluster: a process per worker, anywhere in it, that Ray finds CPUs, GPUs and memory for.

Results come back to this process, which directs the run and need not be on a node of its own. What workers read and write must
be where all nodes see it by the same path; dolmino must be installed on every node, in the version of this process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dolmino_cli.executors.claim import claim
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.executor import Elsewhere, Phase, Result, Task
from dolmino_cli.executors.ray_cluster import cluster_cpus, connect
from dolmino_cli.executors.ray_gpus import RayGpus
from dolmino_cli.executors.ray_pool import Pool
from dolmino_cli.executors.ray_worker import Driver
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.output import Output
from dolmino_cli.shards.owner import owner


@dataclass(kw_only=True)
class Ray:
    """Workers in a Ray cluster. `asked_workers` None: as many as its CPUs have room for."""

    address: str | None = None
    """HOST:PORT of the cluster; None: $RAY_ADDRESS, else the one that this machine belongs to; `local`: one for this run."""
    asked_workers: int | None = None
    cpus_per_worker: float = 1.0
    gpus_per_worker: float = 0.0
    memory_bytes_per_worker: int | None = None
    """What Ray keeps free for a worker; it is no limit."""
    gpu_workers: int = 0
    """Workers with a GPU of their own, which do nothing but what wants one."""

    _pool: Pool | None = field(default=None, init=False, repr=False)
    _gpus: RayGpus | None = field(default=None, init=False, repr=False)
    _marker: Path | None = field(default=None, init=False, repr=False)

    @property
    def workers(self) -> int:
        """How many tasks run at once at most; connects to the cluster where it must be asked. Raises ConfigError."""
        if self.asked_workers is not None:
            return self.asked_workers
        connect(self.address)
        return max(1, int(cluster_cpus() // (self.cpus_per_worker or 1)))

    @property
    def several_machines(self) -> bool:
        """As `Executor.several_machines`: yes."""
        return True

    @property
    def elsewhere(self) -> Elsewhere | None:
        """The workers with GPUs, where there are; started when first asked for. Raises ConfigError."""
        if self.gpu_workers and self._gpus is None:
            connect(self.address)
            self._gpus = RayGpus.start(self.gpu_workers)
            self._gpus.check()
        return self._gpus

    @contextmanager
    def claim(self, output: Output) -> Iterator[None]:
        """As `Executor.claim`; the workers end with it."""
        connect(self.address)
        with claim(output):
            self._marker = _mark(output)
            try:
                yield
            finally:
                self.end()
                if self._marker is not None:
                    self._marker.unlink(missing_ok=True)

    def run_tasks(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        *,
        phase: Phase,
        counters: Counters | None = None,
        preload: Sequence[str] = (),
    ) -> Iterator[tuple[Task, Result]]:
        """As `Executor.run_tasks`. A worker that dies is replaced and its task given again; a task that too many die of has
        WorkersKilled as its result. Raises ConfigError where there is no cluster, RunFailed where its nodes do not fit.
        """
        connect(self.address)
        if self._pool is None:
            self._pool = Pool(
                size=self.workers,
                resources={
                    "CPU": self.cpus_per_worker,
                    "GPU": self.gpus_per_worker,
                    "memory": float(self.memory_bytes_per_worker or 0),
                },
                driver=Driver.here(marker=str(self._marker) if self._marker else None, preload=preload),
                output=str(self._marker.parent) if self._marker else "",
            )
        yield from self._pool.run(function, tasks, phase=phase, counters=counters or Counters(workers=1))

    def end(self) -> None:
        """End all workers."""
        for workers in (self._pool, self._gpus):
            if workers is not None:
                workers.end()
        self._pool = self._gpus = None


def _mark(output: Output) -> Path | None:
    """A file in a local output, for workers to see; named as an unfinished one, so that it is cleared away after a kill."""
    marker = output.local_path(f".shared.{owner()}.partial")
    if marker is not None:
        with storage_errors("write", str(marker)):
            marker.parent.mkdir(parents=True, exist_ok=True)
            marker.touch()
    return marker
