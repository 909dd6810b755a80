"""What a run makes of answers that are lost with their worker, or late: a cluster that is made up, in a forced order."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

import dolmino_cli
from dolmino_cli.executors import ray_pool
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.executor import Phase
from dolmino_cli.executors.failures import MOST_DEATHS, WorkersKilled
from dolmino_cli.executors.ray_pool import Pool
from dolmino_cli.executors.ray_worker import Driver, Outcome, Started
from dolmino_cli.shards import s3_troubles


class _Killed(Exception):
    """A task has ended its worker."""


class _RayError(Exception):
    pass


class _RayTaskError(_RayError):
    pass


@dataclass(eq=False)
class _Reference:
    value: Any = None
    there: bool = False


@dataclass(eq=False)
class _Actor:
    """A worker that says what became of its tasks when it has done all that it was given; if it dies, it says nothing."""

    waiting: list[tuple[_Reference, Any]] = field(default_factory=list)
    asked: list[_Reference] = field(default_factory=list)
    """For its progress; it answers when it has done its next tasks, with what it had done before them."""
    documents: int = 0
    started: bool = False
    dead: bool = False

    def __post_init__(self) -> None:
        version = ".".join(map(str, sys.version_info[:2]))
        started = Started(version=dolmino_cli.__version__, python=version, host="here", sees_output=True)
        self.start = SimpleNamespace(remote=lambda: self._later(lambda: started))
        self.run = SimpleNamespace(remote=lambda _, function, task: self._later(lambda: self._outcome(function(task))))
        self.progress = SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self._ask))

    def _later(self, call: Any) -> _Reference:
        reference = _Reference()
        self.waiting.append((reference, call))
        return reference

    def _ask(self) -> _Reference:
        self.asked.append(_Reference(value=(self.documents, self.documents)))
        return self.asked[-1]

    def _outcome(self, result: Any) -> Outcome:
        self.documents += 1
        return Outcome(result=result, progress=(self.documents, self.documents), troubles=s3_troubles.take())

    def work(self) -> None:
        if not self.waiting:
            for reference in self.asked:
                reference.there = True
            return
        try:
            self.started, values = True, [call() for _, call in self.waiting]
        except _Killed:
            self.dead, values = True, [_RayError("killed")] * len(self.waiting)
        for (reference, _), value in zip(self.waiting, values, strict=True):
            reference.value, reference.there = value, True
        self.waiting = []


class _Ray:
    exceptions = SimpleNamespace(RayError=_RayError, RayTaskError=_RayTaskError, RayActorError=_RayError)

    def __init__(self) -> None:
        self.actors: list[_Actor] = []
        self.slow: set[int] = set()
        """Workers, by number, that once started do nothing as long as another has something to say."""

    def start(self, *_: Any) -> _Actor:
        self.actors.append(_Actor())
        return self.actors[-1]

    def wait(self, references: list[_Reference], **_: Any) -> tuple[list[_Reference], list[_Reference]]:
        for slow in (False, True):
            for number, actor in enumerate(self.actors):
                if (number in self.slow and actor.started) == slow:
                    actor.work()
            found = [reference for reference in references if reference.there]
            if found:
                break
        return found[:1], []

    def get(self, reference: _Reference, timeout: float = 0) -> Any:
        assert reference.there
        if isinstance(reference.value, Exception):
            raise reference.value
        return reference.value

    def kill(self, actor: _Actor) -> None:
        actor.dead = True


@pytest.fixture
def made_up_ray(monkeypatch: pytest.MonkeyPatch) -> _Ray:
    made_up = _Ray()
    monkeypatch.setattr(ray_pool, "import_ray", lambda: made_up)
    monkeypatch.setattr(ray_pool, "start", made_up.start)
    return made_up


def results(function: Any, tasks: Iterable[str], counters: Counters, *, workers: int = 1) -> dict[str, Any]:
    pool = Pool(size=workers, resources={"CPU": 1}, driver=Driver.here(), output="")
    found = list(pool.run(function, tasks, phase=Phase(name="test"), counters=counters))
    assert len(found) == len(dict(found)), "each once"
    return dict(found)


@pytest.mark.parametrize(("tasks", "unknown"), [("ABCD", 1), ("BACD", 1), ("ACDB", 0), ("B", 0)])
def test_the_task_that_kills_is_named_and_the_one_before_it_is_done(made_up_ray: _Ray, tasks: str, unknown: int) -> None:
    """B kills its worker each time; where A was given with it, nobody hears that A had been done. `unknown`: how many deaths
    may have been another's.
    """
    killed: list[str] = []

    def function(task: str) -> str:
        if task == "B":
            killed.append(task)
            raise _Killed
        return task.lower()

    counters = Counters(workers=1)
    found = results(function, tasks, counters)
    assert isinstance(found["B"], WorkersKilled)
    assert str(found.pop("B")) == f"B: killed its worker {MOST_DEATHS} times (killed; out of memory?)"
    assert found == {task: task.lower() for task in tasks if task != "B"}
    assert len(killed) == MOST_DEATHS + unknown
    assert counters.retries == len(killed) - 1


def test_tasks_that_kill_once_are_done(made_up_ray: _Ray) -> None:
    seen: set[str] = set()

    def function(task: str) -> str:
        if task in "BC" and task not in seen:
            seen.add(task)
            raise _Killed
        return task.lower()

    counters = Counters(workers=1)
    assert results(function, "ABCD", counters) == {"A": "a", "B": "b", "C": "c", "D": "d"}
    assert counters.retries == 2


def test_progress_that_is_heard_of_after_what_came_of_it_takes_nothing_back(
    made_up_ray: _Ray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a worker that has no other task, while another goes on."""
    monkeypatch.setattr(ray_pool, "_PROGRESS_EVERY_SECONDS", 0.0)
    made_up_ray.slow = {1}
    counters = Counters(workers=1)
    assert results(str.lower, "AB", counters, workers=2) == {"A": "a", "B": "b"}
    assert any(reference.there for actor in made_up_ray.actors for reference in actor.asked), "one was late"
    assert counters.read() == (2, 2)
