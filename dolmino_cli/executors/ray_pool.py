"""Processes of a Ray cluster that do tasks: started as there is room, replaced when they die, given a task or two at a time."""

from __future__ import annotations

import functools
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import dolmino_cli
from dolmino_cli.errors import RunFailed, first_line
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.executor import Phase
from dolmino_cli.executors.failures import MOST_DEATHS, WorkersKilled
from dolmino_cli.executors.ray_cluster import check_started, import_ray
from dolmino_cli.executors.ray_worker import Driver, Outcome, Worker
from dolmino_cli.shards import s3_troubles

log = logging.getLogger(__name__)

_PROGRESS_EVERY_SECONDS = 2.0
WARN_AFTER_SECONDS = 30.0
_PROGRESS = "progress"


@dataclass(kw_only=True, eq=False)
class _Given:
    """A task on its way, and how many workers died of it. `alone`: to be given to a worker that has no other."""

    task: Any
    deaths: int = 0
    alone: bool = False


@dataclass(kw_only=True, eq=False)
class _Member:
    """A worker: what it was given, the oldest first; what it said of its progress, and what of that is of finished tasks."""

    actor: Any
    ready: bool = False
    given: deque[tuple[Any, _Given]] = field(default_factory=deque)
    said: tuple[int, int] = (0, 0)
    settled: tuple[int, int] = (0, 0)
    asking: Any = None
    asked_at: float = field(default_factory=time.monotonic)


class _Left:
    """Tasks not handed out: those that come back first, the others made as they are asked for."""

    def __init__(self, tasks: Iterable[Any]) -> None:
        self._tasks = iter(tasks)
        self._waiting: deque[_Given] = deque()

    def has(self, count: int) -> bool:
        """Are there so many?"""
        self._waiting.extend(_Given(task=task) for task in islice(self._tasks, max(0, count - len(self._waiting))))
        return len(self._waiting) >= count

    def next_is_alone(self) -> bool:
        """Is the next one, which there must be, to be given alone?"""
        return self._waiting[0].alone

    def take(self) -> _Given:
        """The next one; there must be one."""
        return self._waiting.popleft()

    def put_back(self, given: _Given) -> None:
        """One whose worker died: the next one now."""
        self._waiting.appendleft(given)

    def drop(self) -> None:
        """Hand out no more."""
        self._waiting.clear()
        self._tasks = iter(())


class Pool:
    """At most `size` workers, kept between calls of `run`. `resources` are what Ray reserves for each."""

    def __init__(self, *, size: int, resources: dict[str, float], driver: Driver, output: str) -> None:
        self.size, self._resources, self._driver, self._output = size, resources, driver, output
        self._ray = import_ray()
        self._members: list[_Member] = []
        self._of: dict[Any, _Member] = {}  # by what is waited for: a start, a result, progress
        self._failed_starts = 0
        self._started_at = time.monotonic()
        self._warned = False

    def run(
        self, function: Callable[[Any], Any], tasks: Iterable[Any], *, phase: Phase, counters: Counters
    ) -> Iterator[tuple[Any, Any]]:
        """Yield (task, result) as tasks finish; a task that `MOST_DEATHS` workers died of has WorkersKilled as its result.

        What a task raises is raised here after the running ones ended.
        """
        left, error = _Left(tasks), None
        try:
            while self._busy() or left.has(1):
                self._hand_out(function, left)
                self._grow(left)
                for given, outcome in self._arrived(left, phase, counters):
                    if isinstance(outcome, WorkersKilled):
                        yield given.task, outcome
                    elif outcome.error is None:
                        yield given.task, outcome.result
                    else:
                        error = error or outcome.error
                        left.drop()
        finally:
            for member in [member for member in self._members if member.given]:
                self._forget(member)
        if error is not None:
            raise error

    def end(self) -> None:
        """End all workers."""
        for member in list(self._members):
            self._forget(member)

    def _busy(self) -> bool:
        return any(member.given for member in self._members)

    def _hand_out(self, function: Callable[[Any], Any], left: _Left) -> None:
        # A second task spares a worker the wait for the next one; near the end it would keep it from one that is idle.
        for depth in (1, 2):
            for member in self._members:
                if not member.ready or len(member.given) >= depth:
                    continue
                if left.has(1) if depth == 1 else self._has_second(member, left):
                    given = left.take()
                    reference = member.actor.run.remote(given.deaths, function, given.task)
                    member.given.append((reference, given))
                    self._of[reference] = member

    def _has_second(self, member: _Member, left: _Left) -> bool:
        """Is there a second task for a worker that has one?"""
        return left.has(self.size) and not member.given[0][1].alone and not left.next_is_alone()

    def _grow(self, left: _Left) -> None:
        starting = sum(not member.ready for member in self._members)
        while len(self._members) < self.size and left.has(starting + 1):
            member = _Member(actor=start(self._driver, self._resources))
            self._members.append(member)
            self._of[member.actor.start.remote()] = member
            starting += 1
        waited = time.monotonic() - self._started_at
        if not self._warned and waited > WARN_AFTER_SECONDS and not any(member.ready for member in self._members):
            self._warned = True
            asked = ", ".join(f"{name} {amount:g}" for name, amount in self._resources.items() if amount)
            there = self._ray.cluster_resources()
            have = ", ".join(f"{name} {there.get(name, 0):g}" for name in ("CPU", "GPU", "memory"))
            log.warning("still waiting for a Ray worker: each needs %s; the whole cluster has %s", asked, have)

    def _arrived(self, left: _Left, phase: Phase, counters: Counters) -> Iterator[tuple[_Given, Outcome | WorkersKilled]]:
        """What has come in, after a wait for the next; workers that died are taken account of."""
        self._ask_for_progress()
        found, _ = self._ray.wait(list(self._of), num_returns=1, timeout=_PROGRESS_EVERY_SECONDS)
        for reference in found:
            member = self._of.pop(reference)
            try:
                value = self._ray.get(reference)
            except self._ray.exceptions.RayTaskError:
                raise  # not a task's: these come as outcomes
            except self._ray.exceptions.RayError as error:
                yield from self._lost(member, error, left, phase, counters)
                continue
            if isinstance(value, Outcome):
                (given,) = [given for known, given in member.given if known == reference]
                yield self._finished(member, given, value, counters)
            elif isinstance(value, tuple):
                member.asking = None
                if value > member.said:  # it may come after the answer of a task that ended since
                    _count(member, value, counters)
            else:
                check_started(value, self._output)
                member.ready, self._failed_starts = True, 0

    def _finished(self, member: _Member, given: _Given, outcome: Outcome, counters: Counters) -> tuple[_Given, Outcome]:
        member.given = deque(one for one in member.given if one[1] is not given)
        _count(member, outcome.progress, counters)
        member.settled = outcome.progress
        s3_troubles.add(outcome.troubles)
        return given, outcome

    def _lost(
        self, member: _Member, error: Exception, left: _Left, phase: Phase, counters: Counters
    ) -> Iterator[tuple[_Given, Outcome | WorkersKilled]]:
        """A worker that is gone: what it had finished is taken, and its death counted against the task that it was at.

        Of two that are lost it may have been at either: what a worker said last can die with it. Each of them is given alone
        from now on, so that the next death is known to be its own.
        """
        if not member.ready:
            self._failed_starts += 1
            if self._failed_starts >= max(MOST_DEATHS, self.size):
                raise RunFailed(
                    f"Ray workers do not start ({_why(error)}); is dolmino {dolmino_cli.__version__} installed on every node?"
                )
        lost = []
        for reference, given in list(member.given):
            try:
                yield self._finished(member, given, self._ray.get(reference, timeout=0), counters)
            except self._ray.exceptions.RayError:
                lost.append(given)
        _count(member, member.settled, counters)
        self._forget(member)
        if len(lost) == 1:
            (given,) = lost
            given.deaths += 1
            if given.deaths == MOST_DEATHS:
                yield given, WorkersKilled(phase.name_of(given.task), deaths=given.deaths, how=_why(error))
                return
        counters.retries += bool(lost)
        for given in reversed(lost):
            given.alone = True
            left.put_back(given)

    def _ask_for_progress(self) -> None:
        now = time.monotonic()
        for member in self._members:
            if member.given and member.asking is None and now - member.asked_at >= _PROGRESS_EVERY_SECONDS:
                member.asking = member.actor.progress.options(concurrency_group=_PROGRESS).remote()
                member.asked_at = now
                self._of[member.asking] = member

    def _forget(self, member: _Member) -> None:
        self._members.remove(member)
        self._of = {reference: other for reference, other in self._of.items() if other is not member}
        self._ray.kill(member.actor)


def start(driver: Driver, resources: dict[str, float], *, restarts: int = 0, tries: int = 0) -> Any:
    """A new worker, as an actor that Ray finds a place for; a cluster that grows by itself grows for it."""
    how = {"num_cpus": resources["CPU"], "num_gpus": resources["GPU"], "memory": resources["memory"] or None}
    return _actor_class().options(**how, max_restarts=restarts, max_task_retries=tries).remote(driver)


@functools.cache
def _actor_class() -> Any:
    return import_ray().remote(concurrency_groups={_PROGRESS: 1})(Worker)


def _count(member: _Member, total: tuple[int, int], counters: Counters) -> None:
    """Add what a worker did since it last said so; a worker that died takes back what was of no finished task."""
    counters.add(0, documents=total[0] - member.said[0], bytes=total[1] - member.said[1])
    member.said = total


def _why(error: Exception) -> str:
    """What ended a worker, in a few words: Ray's own account is a paragraph of what it may have been."""
    said = str(error)
    if getattr(error, "actor_init_failed", False):
        return [line.strip() for line in said.splitlines() if line.strip()][-1]
    if "node has died" in said or "node died" in said:
        return "its node was lost"
    if "OUT_OF_MEMORY" in said or "low on memory" in said:
        return "ended by Ray, its node being low on memory"
    # A worker that is gone is at times said to be unavailable, before Ray knows what became of it.
    return "killed" if isinstance(error, import_ray().exceptions.RayActorError) else first_line(error)
