"""All tasks are tried: one that fails does not stop the others. What failed is recorded, and raised at the end of the run.

    for task, entry in attempt_all(executor, run_shard, tasks, output=output, phase=phase, what="shards"):
        ...                                     # what succeeded; after the last, what failed is raised

This is the one way that verbs run tasks by any executor: in the process that does a task, a wrapper around the verb's function
turns its error into a result, keeps a log of it (`task_log`) and records its failure (`failures`).
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

from dolmino_cli.errors import DolminoError, RunFailed, StorageError, first_line
from dolmino_cli.executors import failures
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.executor import Executor, Phase, Result, Task
from dolmino_cli.executors.failures import WorkersKilled
from dolmino_cli.executors.task_log import TaskLog
from dolmino_cli.shards.output import Output


@dataclass(frozen=True, kw_only=True)
class Named:
    """A task with the name that its phase gives it: phases do not pickle."""

    name: str
    task: Any


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """`function` of a named task, returning the DolminoError that it raises: what executors are given to run.

    Any other exception is a mistake of ours, or what a library says of bad data: RunFailed, its traceback as a note and in the
    task's log. `output`: where records and logs go, if anywhere. `always_log`: not only where something was amiss.
    """

    function: Callable[[Any], Any]
    phase: str
    output: Output | None = None
    always_log: bool = False

    def __call__(self, named: Named) -> Any:
        """The result of a task, or the DolminoError that it failed with."""
        with TaskLog(phase=self.phase, task=named.name) as log:
            try:
                result = self.function(named.task)
            except DolminoError as error:
                result = error
                log.failed(str(error), traceback.format_exc())
            except Exception as error:  # noqa: BLE001 - one bad shard must not stop the others, whatever it does to a library
                result = RunFailed(f"{named.name}: {type(error).__name__}: {first_line(error)}")
                result.add_note(traceback.format_exc())
                log.failed(str(result), traceback.format_exc())
        if self.output is not None:
            self._record(self.output, named.name, result, log)
        return result

    def _record(self, output: Output, name: str, result: Any, log: TaskLog) -> None:
        try:
            if isinstance(result, DolminoError):
                failures.note(output, task=name, phase=self.phase, reason=str(result))
            if log.amiss or self.always_log:
                log.save(output)
        except StorageError:
            if not isinstance(result, DolminoError):  # what failed is said at the end of the run in any case
                raise


def attempt_all(
    executor: Executor,
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    phase: Phase,
    what: str,
    output: Output | None = None,
    counters: Counters | None = None,
    preload: Sequence[str] = (),
) -> Iterator[tuple[Task, Result]]:
    """Yield (task, result) of the tasks that succeed, in any order; then raise what failed, `what` being the tasks' name.

    Of one failure its error is raised, of several RunFailed. With an `output`, failures are recorded there and the records of
    tasks that succeed now, and of their parts, removed.
    """
    before = failures.by_whole(failures.names(output)) if output is not None else {}
    failed: list[DolminoError] = []
    tried: set[str] = set()
    for named, result in executor.run_tasks(
        Attempt(function=function, phase=phase.name, output=output),
        _Naming(tasks, phase.name_of),
        phase=replace(phase, name_of=_name_of, recorded=phase.recorded and partial(_recorded, phase.recorded)),
        counters=counters,
        preload=preload,
    ):
        tried.add(named.name)
        if isinstance(result, DolminoError):
            failed.append(result)
            if output is not None and isinstance(result, WorkersKilled):
                failures.note(output, task=named.name, phase=phase.name, reason=str(result))
            continue
        if output is not None and result is not None:  # None: it helped with a task of that name
            for task in before.get(named.name, ()):
                failures.forget(output, task)
        yield named.task, result
    failures.raise_all(failed, tried=len(tried), what=what, output=output)


class _Naming(Iterable[Named]):
    """Tasks with their names, as often as they are gone through."""

    def __init__(self, tasks: Iterable[Any], name_of: Callable[[Any], str]) -> None:
        self._tasks, self._name_of = tasks, name_of

    def __iter__(self) -> Iterator[Named]:
        return (Named(name=self._name_of(task), task=task) for task in self._tasks)

    def __len__(self) -> int:
        return len(cast(Sized, self._tasks))  # TypeError where they are made as they are asked for


def _name_of(named: Named) -> str:
    return named.name


def _recorded(recorded: Callable[[Any], Any], named: Named) -> Any:
    return recorded(named.task)
