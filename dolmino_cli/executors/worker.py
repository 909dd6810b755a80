"""What a local worker process does: one task after another, as they come through its pipe, until the pipe or the run ends."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from dolmino_cli.errors import RunFailed
from dolmino_cli.executors import counters as progress_counters
from dolmino_cli.executors.counters import Counters

READY = b"ready"

_number = 0
_deaths = 0


@dataclass(frozen=True, kw_only=True)
class Given:
    """A task as a worker gets it; `deaths`: how many workers were killed at it before."""

    task: Any
    deaths: int = 0


@dataclass(frozen=True, kw_only=True)
class Raised:
    """What a task raised, with its traceback as text: tracebacks do not pickle."""

    error: BaseException
    traceback: str

    def again(self) -> BaseException:
        """The error, to be raised in the process that asked for the task."""
        self.error.add_note(f"in a worker process:\n{self.traceback.rstrip()}")
        return self.error


def worker_number() -> int:
    """Which worker of the run this process is, from 0: what several devices are shared out by. 0 outside of one."""
    return _number


def deaths_before() -> int:
    """How many workers were killed at the task that this process is doing, before it was given to this one."""
    return _deaths


def begin(task_deaths: int) -> None:
    """Say that this process begins a task at which so many workers were killed before."""
    global _deaths
    _deaths = task_deaths


def serve(
    pipe: Connection, function: Callable[[Any], Any], number: int, counters: Counters | None, environment: Mapping[str, str]
) -> None:
    """Do the tasks that come through `pipe`; a worker that takes a dead one's place has its number."""
    global _number
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _number = number
    take_environment(environment)
    progress_counters.use(counters, number)
    try:
        pipe.send_bytes(READY)
        while True:
            given: Given = pipe.recv()
            begin(given.deaths)
            pipe.send_bytes(_answer(function, given.task))
    except (EOFError, OSError, KeyboardInterrupt):  # the run has ended, or is being stopped
        return


def take_environment(environment: Mapping[str, str]) -> None:
    """Make the run's environment that of this worker: what it was forked from may be older than the caller's AWS_* variables."""
    os.environ.clear()
    os.environ.update(environment)
    take_one_thread()


def take_one_thread() -> None:
    """Keep libraries to one thread: worker processes are the parallelism."""
    for variable in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
        os.environ[variable] = "false" if variable.startswith("TOKEN") else "1"


def _answer(function: Callable[[Any], Any], task: Any) -> bytes:
    try:
        return pickle.dumps(function(task))
    except BaseException as error:  # noqa: BLE001 - raised again in the process that asked
        raised = Raised(error=error, traceback=traceback.format_exc())
        try:
            answer = pickle.dumps(raised)
            pickle.loads(answer)
        except Exception:  # noqa: BLE001 - some libraries' errors do not come back from pickling
            said = RunFailed(f"{type(error).__name__}: {error}")
            return pickle.dumps(Raised(error=said, traceback=raised.traceback))
        return answer


def _end_with_parent() -> None:
    """End this worker as soon as the process that uses it is gone, however it ended, also in the middle of a task."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker is started by another process"
    parent.join()
    os._exit(1)
