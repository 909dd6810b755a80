"""What a run has done so far, for Prometheus: a text file for node_exporter's textfile collector, rewritten as a whole.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/ (text, version 0.0.4).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from dolmino_cli.errors import StorageError
from dolmino_cli.executors.counters import Counters
from dolmino_cli.shards import s3_troubles
from dolmino_cli.shards.output import Output

log = logging.getLogger(__name__)

EVERY_SECONDS = 5.0


@dataclass(kw_only=True)
class PhaseFigures:
    """Of the tasks of one phase: how many there are, were handed out, came back, failed; workers' seconds by stage."""

    name: str
    workers: int
    counters: Counters
    total: int | None = None
    handed: int = 0
    done: int = 0
    failed: int = 0
    stage_seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def states(self) -> dict[str, int]:
        """Tasks by state. `total` grows where tasks are made as they are asked for."""
        running = min(self.workers, self.handed - self.done - self.failed)
        total = self.handed if self.total is None else self.total
        return {"total": total, "done": self.done, "failed": self.failed, "running": running}


class Metrics:
    """The figures of a run's phases, written to `path` every 5 s while the context is open, and at its end."""

    def __init__(self, path: str, labels: Mapping[str, str], *, every_seconds: float = EVERY_SECONDS) -> None:
        place = Path(path)
        self._folder, self._name, self._labels = Output(str(place.parent)), place.name, dict(labels)
        self._every_seconds = every_seconds
        self._started = time.time()
        self._phases: dict[str, PhaseFigures] = {}
        self._warned = False

    def phase(self, figures: PhaseFigures) -> None:
        """Have `figures` among those that are written; a later phase of the same name takes an earlier one's place."""
        self._phases[figures.name] = figures

    def write(self) -> None:
        """Write the file now. Raises StorageError."""
        self._folder.put(self._name, self.text().encode())

    def text(self) -> str:
        """All figures as they are now."""
        phases = list(self._phases.values())
        lines = _metric(
            "dolmino_tasks",
            "gauge",
            "Tasks of a phase of the run, by state.",
            ((self._of(each, state=state), count) for each in phases for state, count in each.states().items()),
        )
        lines += _metric(
            "dolmino_documents_total",
            "counter",
            "Documents read.",
            ((self._of(each), each.counters.read()[0]) for each in phases),
        )
        lines += _metric(
            "dolmino_text_bytes_total",
            "counter",
            "Bytes of text read.",
            ((self._of(each), each.counters.read()[1]) for each in phases),
        )
        lines += _metric(
            "dolmino_stage_seconds_total",
            "counter",
            "Seconds that workers spent, by stage, of tasks that are done.",
            ((self._of(each, stage=stage), seconds) for each in phases for stage, seconds in sorted(each.stage_seconds.items())),
        )
        lines += _metric(
            "dolmino_task_retries_total",
            "counter",
            "Tasks given again because their worker was killed.",
            ((self._of(each), each.counters.retries) for each in phases),
        )
        troubles = s3_troubles.so_far()
        lines += _metric(
            "dolmino_s3_retries_total",
            "counter",
            "Requests to S3 that were tried again, by why.",
            (({**self._labels, "why": kind}, count) for kind, count in sorted(troubles.requests.items()) if count),
        )
        lines += _metric(
            "dolmino_run_start_time_seconds", "gauge", "When the run began, in Unix time.", [(self._labels, self._started)]
        )
        return "\n".join([*lines, ""])

    def __enter__(self) -> Metrics:
        self.write()  # a path that cannot be written to is known before the work
        self._ended = threading.Event()
        self._writing = threading.Thread(target=self._keep_writing, daemon=True)
        self._writing.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._writing.join()  # its earlier figures must not be written after the last ones
        self._write_or_warn()

    def _of(self, figures: PhaseFigures, **more: str) -> dict[str, str]:
        return {**self._labels, "phase": figures.name, **more}

    def _keep_writing(self) -> None:
        while not self._ended.wait(self._every_seconds):
            self._write_or_warn()

    def _write_or_warn(self) -> None:
        try:
            self.write()
        except StorageError as error:
            if not self._warned:
                log.warning("--metrics: %s; the run goes on", error)
            self._warned = True


def _metric(name: str, kind: str, text: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> list[str]:
    lines = []
    for labels, value in samples:
        pairs = ",".join(f'{label}="{_escaped(of)}"' for label, of in labels.items())
        lines.append(f"{name}{{{pairs}}} {value!r}")
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *lines] if lines else []


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
