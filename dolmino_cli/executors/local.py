"""Run independent tasks in local worker processes (or in this one when there is one worker)."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from dolmino_cli.errors import RunFailed
from dolmino_cli.executors import counters as progress_counters
from dolmino_cli.executors.claim import claim
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.executor import Phase, Result, Task
from dolmino_cli.shards.output import Output

_number = 0


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
        """As `Executor.run_tasks`. Raises RunFailed when a worker dies."""
        return run_tasks(function, tasks, workers=self.workers, counters=counters, preload=preload)


def context(preload: Sequence[str] = ()) -> multiprocessing.context.BaseContext:
    """How workers start: forked from a server that has imported `preload`, so that they share its memory and start at once.

    A plain fork would copy the parent's threads' locks (pyarrow, boto3); a spawn would import everything per worker.
    """
    forkserver = multiprocessing.get_context("forkserver")
    forkserver.set_forkserver_preload(list(preload))
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
) -> Iterator[tuple[Task, Result]]:
    """Yield (task, result) as tasks finish, in completion order; `function` and tasks must pickle.

    At most 2 x workers tasks are handed out at a time. The first exception of a task is raised here after the running
    tasks ended; tasks not yet started are not run. A worker that dies (killed, out of memory) raises RunFailed. Workers end
    with this process, also when it is killed.
    """
    pending_tasks = iter(tasks)
    if workers <= 1:
        progress_counters.use(counters)
        try:
            for task in pending_tasks:
                yield task, function(task)
        finally:
            progress_counters.use(None)
        return
    started_with = (counters, dict(os.environ), context(preload).Value("q", 0))
    pool = ProcessPoolExecutor(workers, mp_context=context(preload), initializer=_start_worker, initargs=started_with)
    running: dict[Future[Result], Task] = {}
    try:
        for task in pending_tasks:
            running[pool.submit(function, task)] = task
            if len(running) >= 2 * workers:
                yield from _collect(running, return_when=FIRST_COMPLETED)
        while running:
            yield from _collect(running, return_when=FIRST_COMPLETED)
    except BrokenProcessPool:
        raise RunFailed(
            "a worker process was killed (out of memory, or by hand); finished shards are kept: run the same command again"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _collect(running: dict[Future[Result], Task], *, return_when: str) -> Iterator[tuple[Task, Result]]:
    done, _ = wait(running, return_when=return_when)
    for future in done:
        yield running.pop(future), future.result()


def worker_number() -> int:
    """Which worker of the run this process is, from 0: what several devices are shared out by. 0 outside of one."""
    return _number


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _start_worker(counters: Counters | None, environment: dict[str, str], numbers: Any) -> None:
    global _number
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with numbers.get_lock():
        _number = numbers.value
        numbers.value += 1
    # The server that workers are forked from may be older than the caller's AWS_* variables.
    os.environ.clear()
    os.environ.update(environment)
    # Worker processes are the parallelism: libraries must not start a thread per core inside each.
    for variable in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
        os.environ[variable] = "false" if variable.startswith("TOKEN") else "1"
    progress_counters.use(counters)


def _end_with_parent() -> None:
    """End this worker as soon as the process that uses it is gone, however it ended.

    A pool's workers hold each other's pipes open, so without this a kill -9 of the run leaves them for ever: with their memory,
    and still writing what a rerun writes again.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker is started by another process"
    parent.join()
    os._exit(1)
