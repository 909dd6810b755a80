"""Executors that treat tasks as clusters do: any order, a process each, twice, killed and begun again, or several directors."""

from __future__ import annotations

import multiprocessing
import pickle
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.executor import Phase, Result, Task
from dolmino_cli.executors.leases import Leases
from dolmino_cli.executors.local import context
from dolmino_cli.shards.leftovers import remove_gone
from dolmino_cli.shards.output import Output


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """A process per task, in random order; a third of the tasks is done twice at once, another third killed and done again."""

    seed: int
    workers: int = 2
    several_machines: bool = True

    @contextmanager
    def claim(self, output: Output) -> Iterator[None]:
        yield
        if not output.is_s3:
            remove_gone(Path(output.root))  # of those that were killed

    def run_tasks(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        *,
        phase: Phase,
        counters: Counters | None = None,
        preload: Sequence[str] = (),
    ) -> Iterator[tuple[Task, Result]]:
        dice = random.Random(f"{self.seed} {phase.name}")
        shuffled = list(tasks)
        names = [phase.name_of(task) for task in shuffled]
        assert len(set(names)) == len(names), f"two tasks of the phase {phase.name} have one name"
        dice.shuffle(shuffled)
        # A server that an earlier test started has not imported what these tasks need, and every process would do so anew.
        forkserver._forkserver._stop()  # type: ignore[attr-defined]
        context(preload)
        for task in shuffled:
            treatment = dice.randrange(3)
            if treatment == 1:
                _run([function], [task], kill_after=dice.random() * 0.2)
            results = _run([function] * 2, [task] * 2) if treatment == 0 else _run([function], [task])
            yield task, results[dice.randrange(len(results))]


def _run(functions: Sequence[Callable[[Any], Any]], tasks: Sequence[Any], kill_after: float | None = None) -> list[Any]:
    """The tasks in processes of their own, all at once."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, str(number)) for number in range(len(tasks))]
        arguments = zip(functions, tasks, files, strict=True)
        processes = [multiprocessing.get_context("forkserver").Process(target=_do, args=each) for each in arguments]
        for process in processes:
            process.start()
        if kill_after is not None:
            time.sleep(kill_after)
            for process in processes:
                process.kill()
        for process in processes:
            process.join()
        outcomes = [pickle.loads(file.read_bytes()) for file in files if file.exists() and kill_after is None]
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    assert kill_after is not None or len(outcomes) == len(tasks), "a process died"
    return outcomes


def _do(function: Callable[[Any], Any], task: Any, result: Path) -> None:
    try:
        outcome: object = function(task)
    except Exception as error:  # noqa: BLE001 - raised again by `_run`
        outcome = error
    partial = result.with_suffix(".partial")
    partial.write_bytes(pickle.dumps(outcome))
    partial.replace(result)


@dataclass(frozen=True, kw_only=True)
class OneOfSeveral:
    """One of several processes that run the same command on one output; each does what is not done and not leased."""

    output: str
    seed: int
    workers: int = 1
    several_machines: bool = True

    def claim(self, output: Output) -> AbstractContextManager[None]:
        return nullcontext()

    def run_tasks(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        *,
        phase: Phase,
        counters: Counters | None = None,
        preload: Sequence[str] = (),
    ) -> Iterator[tuple[Task, Result]]:
        dice = random.Random(f"{self.seed} {phase.name}")
        left, leases = list(tasks), Leases(Output(self.output))
        dice.shuffle(left)
        while left:
            waiting = []
            for task in left:
                result = self._done(phase, task)
                if result is None:
                    lease = leases.take(f"{phase.name}/{phase.name_of(task)}")
                    if lease is None:
                        waiting.append(task)
                        continue
                    with lease:
                        result = self._done(phase, task)
                        if result is None:
                            result = function(task)
                            if phase.recorded is None:
                                Output(self.output).put(self._file(phase, task), pickle.dumps(result))
                yield task, result
            left = waiting
            time.sleep(0.01)

    def _done(self, phase: Phase, task: Task) -> Any | None:
        if phase.recorded is not None:
            return phase.recorded(task)
        stored = Output(self.output).read(self._file(phase, task))
        return None if stored is None else pickle.loads(stored)

    def _file(self, phase: Phase, task: Task) -> str:
        return f".jobs/{phase.name}/{phase.name_of(task)}"
