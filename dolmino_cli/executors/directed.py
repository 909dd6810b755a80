"""An executor whose run one process directs, and says on the way how far it is: for `dolmino jobs status`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from dolmino_cli.errors import DolminoError
from dolmino_cli.executors import manifest
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.executor import Executor, Phase, Result, Task
from dolmino_cli.executors.watched import known_length
from dolmino_cli.shards.listed import ages
from dolmino_cli.shards.output import Output

SAY_EVERY_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Directed:
    """`executor`, called `name`, for a run that writes to `output`."""

    executor: Executor
    name: str
    output: Output

    @property
    def workers(self) -> int:
        """As `Executor.workers`."""
        return self.executor.workers

    @property
    def several_machines(self) -> bool:
        """As `Executor.several_machines`."""
        return self.executor.several_machines

    def __getattr__(self, name: str) -> Any:
        return getattr(self.executor, name)

    @contextmanager
    def claim(self, output: Output) -> Iterator[None]:
        """As `Executor.claim`. Where all went well, no phase is said to be under way any more, of a killed run neither."""
        with self.executor.claim(output):
            yield
            manifest.remove_all(output)

    def run_tasks(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        *,
        phase: Phase,
        counters: Counters | None = None,
        preload: Sequence[str] = (),
    ) -> Iterator[tuple[Task, Result]]:
        """As `Executor.run_tasks`. The phase's manifest is there meanwhile, and stays where not all tasks were done."""
        before = len(ages(self.output, phase.folder, ".json")) if phase.folder else 0
        left = known_length(tasks)
        said = manifest.begun(phase.name, tasks=left, done=before, executor=self.name)
        manifest.save(self.output, said)
        done, failed, at = before, 0, time.monotonic()
        try:
            for task, outcome in self.executor.run_tasks(function, tasks, phase=phase, counters=counters, preload=preload):
                failed += isinstance(outcome, DolminoError)
                done += not isinstance(outcome, DolminoError)
                if time.monotonic() - at > SAY_EVERY_SECONDS:
                    at = time.monotonic()
                    manifest.save(self.output, replace(said, done=done, failed=failed, updated=manifest.now()))
                yield task, outcome
            left = failed
        finally:
            if left:
                manifest.save(self.output, replace(said, done=done, failed=failed, updated=manifest.now()))
        if not left:
            manifest.remove(self.output, phase.name)
