"""Tasks run in worker processes; a dead worker is told, not waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from dolmino_cli.errors import DataError, RunFailed
from dolmino_cli.executors.counters import Counters, advance
from dolmino_cli.executors.local import run_tasks, worker_number


def square(number: int) -> int:
    advance(documents=1, bytes=number)
    return number * number


def refuse_three(number: int) -> int:
    if number == 3:
        raise DataError("three is refused", path="numbers", line=3)
    return number


def die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.parametrize("workers", [1, 3])
def test_every_task_gives_its_result(workers: int) -> None:
    counters = Counters(workers=workers)
    results = dict(run_tasks(square, range(20), workers=workers, counters=counters))
    assert results == {n: n * n for n in range(20)}
    assert counters.read() == (20, sum(range(20)))


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_crosses_the_process_border_whole(workers: int) -> None:
    with pytest.raises(DataError) as caught:
        list(run_tasks(refuse_three, range(5), workers=workers))
    assert (str(caught.value), caught.value.line) == ("numbers:3: three is refused", 3)


def my_number(task: int) -> int:
    time.sleep(0.2)  # so that no worker does it all
    return worker_number()


def test_workers_are_numbered_from_zero() -> None:
    """What several devices are shared out by."""
    assert {number for _, number in run_tasks(my_number, range(8), workers=3)} <= {0, 1, 2}
    assert len({number for _, number in run_tasks(my_number, range(8), workers=3)}) > 1
    assert worker_number() == 0


def test_a_killed_worker_is_an_error() -> None:
    with pytest.raises(RunFailed, match="a worker process was killed"):
        list(run_tasks(die, range(2), workers=2))


_LEFT_ALONE = """
from dolmino_cli.executors.local import run_tasks
from tests.executors.test_local import sleep
if __name__ == "__main__":
    for _, worker in run_tasks(sleep, [0, 0, 60, 60], workers=2):
        print(worker, flush=True)
"""


def sleep(seconds: int) -> int:
    time.sleep(seconds or 0.2)
    return os.getpid()


def test_workers_end_with_a_run_that_is_killed() -> None:
    """Otherwise they stay for ever, and write what a rerun writes again."""
    with subprocess.Popen([sys.executable, "-c", _LEFT_ALONE], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        workers = {int(run.stdout.readline()) for _ in range(2)}
        run.kill()
    until = time.monotonic() + 10
    while (left := [worker for worker in workers if _is_alive(worker)]) and time.monotonic() < until:
        time.sleep(0.05)
    assert not left


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
