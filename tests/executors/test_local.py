"""Tasks run in worker processes; a worker that is killed is replaced, and its task given again."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dolmino_cli.errors import DataError, RunFailed
from dolmino_cli.executors.counters import Counters, advance
from dolmino_cli.executors.failures import WorkersKilled
from dolmino_cli.executors.local import run_tasks, worker_number
from tests.executors.processes import is_alive, wait_until


def square(number: int) -> int:
    advance(documents=1, bytes=number)
    return number * number


def refuse_three(number: int) -> int:
    if number == 3:
        raise DataError("three is refused", path="numbers", line=3)
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


class Unpicklable(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def raise_unpicklable(task: int) -> None:
    raise Unpicklable(1, 2)


def test_an_error_that_does_not_pickle_is_told_in_words() -> None:
    with pytest.raises(RunFailed, match="Unpicklable: 1 and 2") as caught:
        list(run_tasks(raise_unpicklable, range(3), workers=2))
    assert "in raise_unpicklable" in caught.value.__notes__[0]


def my_number(folder_and_task: tuple[Path, int]) -> int:
    """Said when three workers have a task each: none does it all, however late the others start."""
    folder, _ = folder_and_task
    (folder / str(os.getpid())).touch()
    wait_until(lambda: len(list(folder.iterdir())) == 3)
    return worker_number()


def test_workers_are_numbered_from_zero(tmp_path: Path) -> None:
    """What several devices are shared out by."""
    tasks = [(tmp_path, number) for number in range(8)]
    assert {number for _, number in run_tasks(my_number, tasks, workers=3)} == {0, 1, 2}
    assert worker_number() == 0


def die_once(marker: Path) -> tuple[int, bool]:
    """The worker's number, and whether it died before: a path without a name is never to be died of."""
    if marker.name.startswith("die") and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return worker_number(), marker.exists()


def test_a_killed_worker_is_replaced_and_its_task_given_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tasks = [tmp_path / f"{'die' if number % 10 == 3 else 'live'}{number}" for number in range(40)]
    with caplog.at_level(logging.WARNING):
        results = list(run_tasks(die_once, tasks, workers=2, name_of=lambda task: task.name))
    assert sorted(task for task, _ in results) == sorted(tasks)  # none lost, none doubled
    assert {number for _, (number, _) in results} <= {0, 1}
    assert all(died == task.name.startswith("die") for task, (_, died) in results)
    said = [f"die{number}: its worker was killed by SIGKILL; it is given again (2 of 3)" for number in (3, 13, 23, 33)]
    assert sorted(caplog.messages) == sorted(said)


def die_of_three(folder_and_number: tuple[Path, int]) -> int:
    folder, number = folder_and_number
    (folder / f"{number}-{os.getpid()}").touch()
    time.sleep(0.05)  # so that others are in flight when one dies
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_task_that_kills_every_worker_is_given_up_and_no_other_is_blamed(tmp_path: Path) -> None:
    results = dict(run_tasks(die_of_three, [(tmp_path, n) for n in range(12)], workers=3, name_of=lambda task: f"n{task[1]}"))
    failed = results.pop((tmp_path, 3))
    assert isinstance(failed, WorkersKilled)
    assert str(failed) == "n3: killed its worker 3 times (killed by SIGKILL; out of memory?)"
    assert results == {(tmp_path, n): n for n in range(12) if n != 3}
    tries = sorted(path.name.partition("-")[0] for path in tmp_path.iterdir())
    assert tries == sorted([str(n) for n in range(12)] + ["3", "3"])


def test_no_more_tasks_are_handed_out_than_two_for_each_worker() -> None:
    handed = []

    def tasks() -> object:
        for number in range(30):
            handed.append(number)
            yield number

    most = 0
    for done, _ in enumerate(run_tasks(square, tasks(), workers=2)):  # type: ignore[arg-type]
        most = max(most, len(handed) - done)
    assert most == 4


def test_what_is_left_is_not_run_when_the_caller_stops(tmp_path: Path) -> None:
    results = run_tasks(die_of_three, [(tmp_path, 10 + n) for n in range(50)], workers=2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    begun = len(list(tmp_path.iterdir()))
    time.sleep(0.2)
    assert begun == len(list(tmp_path.iterdir())) <= 5


_LEFT_ALONE = """
import sys
from pathlib import Path
from dolmino_cli.executors.local import run_tasks
from tests.executors.test_local import sleep_for_ever
if __name__ == "__main__":
    list(run_tasks(sleep_for_ever, [Path(sys.argv[1])] * 2, workers=2))
"""


def sleep_for_ever(folder: Path) -> None:
    (folder / str(os.getpid())).touch()
    time.sleep(600)


def test_workers_end_with_a_run_that_is_killed(tmp_path: Path) -> None:
    """Otherwise they stay for ever, and write what a rerun writes again."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen([sys.executable, "-c", _LEFT_ALONE, str(tmp_path)], env=environment) as run:
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        run.kill()
    workers = [int(path.name) for path in tmp_path.iterdir()]
    wait_until(lambda: not any(map(is_alive, workers)))
