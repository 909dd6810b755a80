"""Run independent tasks in local worker processes (or in this one when there is one worker)."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from dolmino_cli.executors import counters as progress_counters
from dolmino_cli.executors.claim import claim
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.executor import Phase, Result, Task
from dolmino_cli.executors.pool import Pool
from dolmino_cli.executors.worker import worker_number
from dolmino_cli.shards.output import Output

__all__ = ["Local", "context", "run_tasks", "start_early", "usable_cores", "worker_number"]


@dataclass(frozen=True, kw_only=True)
class Local:
    """Worker processes on this machine; with one worker, this process itself."""

    workers: int = 1

    @property
    def several_machines(self) -> bool:
        """As `Executor.several_machines`: no."""
        return False

    def claim(self, output: Output) -> AbstractContextManager[None]:
        """As `Executor.claim`."""
        return claim(output)

    def run_tasks(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        *,
        phase: Phase,
        counters: Counters | None = None,
        preload: Sequence[str] = (),
    ) -> Iterator[tuple[Task, Result]]:
        """As `Executor.run_tasks`."""
        return run_tasks(function, tasks, workers=self.workers, counters=counters, preload=preload, name_of=phase.name_of)


def context(preload: Sequence[str] = ()) -> multiprocessing.context.ForkServerContext:
    """How workers start: forked from a server that has imported `preload`, so that they share its memory and start at once.

    A plain fork would copy the parent's threads' locks (pyarrow, boto3); a spawn would import everything per worker.
    """
    forkserver = multiprocessing.get_context("forkserver")
    forkserver.set_forkserver_preload(["dolmino_cli.executors.imported_first", *preload])
    return forkserver


def start_early(preload: Sequence[str]) -> None:
    """Begin to import `preload` where workers will come from, while this process prepares the run."""
    from multiprocessing import forkserver

    context(preload)
    forkserver.ensure_running()


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    workers: int,
    counters: Counters | None = None,
    preload: Sequence[str] = (),
    name_of: Callable[[Task], str] = str,
) -> Iterator[tuple[Task, Result]]:
    """Yield (task, result) as tasks finish, in completion order; `function` and tasks must pickle.

    At most 2 x workers tasks are handed out at a time. The first exception of a task is raised here after the running
    tasks ended; tasks not yet started are not run. A worker that dies (killed, out of memory) is replaced and its task given
    again; a task that too many die of has WorkersKilled as its result. Workers end with this process, also when it is killed.
    """
    if workers <= 1:
        progress_counters.use(counters)
        try:
            for task in tasks:
                yield task, function(task)
        finally:
            progress_counters.use(None)
        return
    pool = Pool(function, workers=workers, counters=counters, processes=context(preload), name_of=name_of)
    given = 0
    try:
        for task in tasks:
            pool.give(task)
            given += 1
            if given >= 2 * workers:
                yield pool.next_result()
                given -= 1
        while given:
            yield pool.next_result()
            given -= 1
    finally:
        pool.close()


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
