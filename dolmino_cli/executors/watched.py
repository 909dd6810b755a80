"""Any executor, with what was asked for besides the tasks: metrics in a file, a log of every task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from dolmino_cli.errors import DolminoError
from dolmino_cli.executors.attempt import Attempt
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.executor import Executor, Phase, Result, Task
from dolmino_cli.executors.metrics import Metrics, PhaseFigures
from dolmino_cli.shards.ledger import LedgerEntry
from dolmino_cli.shards.output import Output


@dataclass(frozen=True, kw_only=True)
class Watched:
    """`executor`, whose runs write `metrics`, and a log of each task with `task_logs`. All else is as of the executor."""

    executor: Executor
    metrics: Metrics | None = None
    task_logs: bool = False

    @property
    def workers(self) -> int:
        """As `Executor.workers`."""
        return self.executor.workers

    def __getattr__(self, name: str) -> Any:
        return getattr(self.executor, name)

    @contextmanager
    def claim(self, output: Output) -> Iterator[None]:
        """As `Executor.claim`; metrics are written until the claim ends."""
        with self.metrics or nullcontext(), self.executor.claim(output):
            yield

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
        run: Any = function
        if self.task_logs and isinstance(function, Attempt):
            run = replace(function, always_log=True)
        counters = counters or Counters(workers=self.workers)
        figures = PhaseFigures(name=phase.name, workers=self.workers, counters=counters, total=known_length(tasks))
        if self.metrics is not None:
            self.metrics.phase(figures)
        handed = _Counted(tasks, figures)
        for task, result in self.executor.run_tasks(run, handed, phase=phase, counters=counters, preload=preload):
            _count(figures, result)
            yield task, result


class _Counted(Iterable[Any]):
    """Tasks that are counted as they are handed out, as often as they are gone through."""

    def __init__(self, tasks: Iterable[Any], figures: PhaseFigures) -> None:
        self._tasks, self._figures = tasks, figures

    def __iter__(self) -> Iterator[Any]:
        self._figures.handed = self._figures.done + self._figures.failed
        for task in self._tasks:
            self._figures.handed += 1
            yield task


def known_length(tasks: Any) -> int | None:
    """How many tasks there are; None where they are made as they are asked for."""
    try:
        return len(tasks)
    except TypeError:
        return None


def _count(figures: PhaseFigures, result: Any) -> None:
    if isinstance(result, DolminoError):
        figures.failed += 1
        return
    figures.done += 1
    entry = result if isinstance(result, LedgerEntry) else getattr(result, "entry", None)
    if isinstance(entry, LedgerEntry):
        for stage, seconds in entry.seconds.items():
            figures.stage_seconds[stage] += seconds
