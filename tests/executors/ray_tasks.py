"""What the tests of Ray run in its workers; some of it ends them."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dolmino_cli.errors import DataError
from dolmino_cli.executors.attempt import Named
from dolmino_cli.executors.counters import advance
from dolmino_cli.executors.ray import Ray


def square_and_die_once_of_three(task: tuple[int, str]) -> int:
    """The first time, three kills its worker after it counted; a mark says so."""
    number, mark = task
    advance(documents=1, bytes=number)
    if number == 3 and not Path(mark).exists():
        Path(mark).touch()
        time.sleep(2.5)  # until its progress was asked for
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def refuse_three(number: int) -> int:
    if number == 3:
        raise DataError("three is refused", path="numbers", line=3)
    return number


def process(_: int) -> int:
    time.sleep(0.1)
    return os.getpid()


def sleep_for_ever(folder: str) -> None:
    Path(folder, str(os.getpid())).touch()
    time.sleep(600)


def environment(names: list[str]) -> list[str | None]:
    return [os.environ.get(name) for name in names]


@dataclass(frozen=True, kw_only=True)
class Disturbed:
    """A task function that misbehaves: of some shards, the first times; marks in `folder` count them."""

    function: Callable[[Any], Any]
    folder: str
    kills: dict[str, int] = field(default_factory=dict)
    """Shard -> how many times its worker is killed when all is written but the ledger entry."""
    waits_on_node: str | None = None
    """On this node nothing ever ends; on the others nothing begins before it has a task."""

    def __call__(self, task: Named) -> Any:
        import ray

        from dolmino_cli.pipeline import shard_task

        waits = Path(self.folder, "waits")
        if self.waits_on_node == ray.get_runtime_context().get_node_id():
            waits.touch()
            time.sleep(600)
        while self.waits_on_node is not None and not waits.exists():
            time.sleep(0.05)
        name, real = task.name, shard_task.save

        def save(*given: Any) -> None:
            for number in range(self.kills.get(name, 0)):
                mark = Path(self.folder, f"{name.replace('/', '-')}-{number}")
                if not mark.exists():
                    mark.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
            real(*given)

        shard_task.save = save  # type: ignore[assignment]
        try:
            return self.function(task)
        finally:
            shard_task.save = real


class DisturbedRay(Ray):
    """Ray, with every task function as `Disturbed`."""

    def disturb(self, **how: Any) -> DisturbedRay:
        self._how = how
        return self

    def run_tasks(self, function: Callable[[Any], Any], tasks: Any, **more: Any) -> Any:
        return super().run_tasks(Disturbed(function=function, **self._how), tasks, **more)


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A task function, and whether its process has torch loaded after it."""

    function: Callable[[Any], Any]
    folder: str

    def __call__(self, task: Any) -> Any:
        result = self.function(task)
        Path(self.folder, f"{os.getpid()}-{'torch' in sys.modules}").touch()
        return result


class WatchedRay(Ray):
    """Ray, with every task function as `Watched`."""

    def watch(self, folder: Path) -> WatchedRay:
        self._folder = folder
        return self

    def run_tasks(self, function: Callable[[Any], Any], tasks: Any, **more: Any) -> Any:
        return super().run_tasks(Watched(function=function, folder=str(self._folder)), tasks, **more)
