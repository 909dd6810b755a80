"""Measure whole commands: pinned to cores, interleaved, wall seconds from start to exit, peak memory of the largest process.

Each contender is a command and a check of what it wrote. A contender's first run, on its smallest job, is not counted;
counted runs of all contenders alternate, so that a slow minute of the machine hits them all.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_POLL_SECONDS = 0.1
_DATA_FILES = (".bin", ".npy")  # a fastText model; token arrays
# Ours is installed editable: without its byte code it would be compiled at every start, unlike the peers' packages.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class BenchmarkError(Exception):
    """A contender failed, or wrote something else than it should: its time means nothing."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One measurement: `shards` shards of `documents`, by `cores` processes on as many cores, into `output`."""

    documents: Path
    shards: int
    cores: int
    output: Path


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A tool: the commands that do the job, one after another, and a check that raises BenchmarkError unless they did.

    `answer` is what the check returns (token counts, kept documents, ...), to be compared between contenders.
    """

    name: str
    commands: Callable[[Job], Sequence[Sequence[str]]]
    check: Callable[[Job], Any]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Counted runs of one contender on one job; `peak_mb` is of its largest process."""

    name: str
    shards: int
    cores: int
    seconds: tuple[float, ...]
    warm_up_seconds: float
    peak_mb: float
    answer: Any

    @property
    def median(self) -> float:
        """Median wall seconds."""
        return statistics.median(self.seconds)


def run_commands(
    commands: Sequence[Sequence[str]], *, cores: int, environment: Mapping[str, str], log: Path
) -> tuple[float, float]:
    """(wall seconds, peak memory in MB of the largest process) of the commands. Raises BenchmarkError when one fails."""
    seconds, peak = 0.0, 0.0
    for command in commands:
        with log.open("ab") as output:
            started = time.perf_counter()
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**_ENVIRONMENT, **environment},
                start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, choose_cores(cores)),
            )
            watch = _Memory(process.pid)
            watch.start()
            process.wait()
            seconds += time.perf_counter() - started
            peak = max(peak, watch.stop())
        if process.returncode != 0:
            tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise BenchmarkError(f"exit {process.returncode} from {' '.join(map(str, command))}\n{tail}")
    return seconds, peak


def run_kernel(command: Sequence[str], *, environment: Mapping[str, str], log: Path, cores: int = 1) -> dict[str, Any]:
    """What a script that times itself in memory, on one core if not said otherwise, printed as JSON on its last line."""
    log.unlink(missing_ok=True)
    run_commands([command], cores=cores, environment=environment, log=log)
    printed: dict[str, Any] = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
    return printed


def interleave(contenders: Sequence[Contender], jobs: Callable[[Contender], Sequence[Job]], *, runs: int) -> list[Timing]:
    """Time all contenders on all their jobs alternately, `runs` times each; the first counted run of every job is checked.

    In every round a contender does its first job once uncounted before it is timed: while another one ran for minutes, the system
    may have given up the pages of its programs.
    """
    pairs = [(contender, job) for contender in contenders for job in jobs(contender)]
    for _, job in pairs:
        for path in job.documents.iterdir():
            path.read_bytes()  # into the page cache
    warm_up_seconds: dict[str, float] = {}
    counted: list[list[tuple[float, float]]] = [[] for _ in pairs]
    answers = []
    for run in range(runs):
        warm = ""
        for results, (contender, job) in zip(counted, pairs, strict=True):
            if contender.name != warm:
                warm, seconds = contender.name, _once(contender, job)[0]
                warm_up_seconds.setdefault(warm, seconds)
            results.append(_once(contender, job))
            if run == 0:
                answers.append(contender.check(job))
    return [
        Timing(
            name=contender.name,
            shards=job.shards,
            cores=job.cores,
            seconds=tuple(wall for wall, _ in results),
            warm_up_seconds=warm_up_seconds[contender.name],
            peak_mb=max(peak for _, peak in results),
            answer=answer,
        )
        for (contender, job), answer, results in zip(pairs, answers, counted, strict=True)
    ]


def choose_cores(count: int) -> set[int]:
    """The first `count` cores that this process may use. Raises BenchmarkError when there are fewer."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < count:
        raise BenchmarkError(f"{count} cores wanted, {len(allowed)} allowed here")
    return set(allowed[:count])


def _once(contender: Contender, job: Job) -> tuple[float, float]:
    shutil.rmtree(job.output, ignore_errors=True)
    job.output.mkdir(parents=True)
    log = job.output.with_name(f"{job.output.name}.log")
    log.unlink(missing_ok=True)
    try:
        return run_commands(contender.commands(job), cores=job.cores, environment=contender.environment, log=log)
    except BenchmarkError as error:
        raise BenchmarkError(f"{contender.name}: {error}") from None


class _Memory(threading.Thread):
    """Watches, beside the clock, the largest resident set that any process of a session ever had."""

    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self._session = session
        self._ended = threading.Event()
        self._closely: dict[int, tuple[int, int]] = {}  # of each process: KiB of its own memory then, and of files besides
        self._peak_mb = 0.0

    def run(self) -> None:
        """Look at every process of the session until `stop`."""
        while not self._ended.wait(_POLL_SECONDS):
            for process in _processes(self._session):
                self._look_at(process)

    def stop(self) -> float:
        """The peak in MB."""
        self._ended.set()
        self.join()
        return self._peak_mb

    def _look_at(self, process: int) -> None:
        """Its memory: what is resident, less the pages of large mapped data files.

        Those pages are the system's file cache; they are given up when memory is short, and all processes share them. To count
        them the system stops the process and goes through all its pages: only where its own memory has grown by a tenth is that
        done, and between that the files are taken to be as they were.
        """
        folder = Path("/proc", str(process))
        try:
            own = _own_kib((folder / "status").read_text(encoding="utf-8", errors="replace"))
            before, files = self._closely.get(process, (0, 0))
            if own > 1.1 * before:
                files = _resident_kib((folder / "smaps").read_text(encoding="utf-8", errors="replace")) - own
                self._closely[process] = own, files
            self._peak_mb = max(self._peak_mb, (own + files) * 1024 / 1e6)
        except OSError:
            pass  # it has ended


def _processes(session: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) == session:
                found.append(int(folder.name))
        except OSError:
            continue  # it has ended
    return found


def _own_kib(status: str) -> int:
    lines = (line.split() for line in status.splitlines())
    return next((int(words[1]) for words in lines if words[:1] == ["RssAnon:"]), 0)


def _resident_kib(maps: str) -> int:
    total, mapped = 0, ""
    for line in maps.splitlines():
        name, _, value = line.partition(":")
        if name == "Rss" and not mapped.endswith(_DATA_FILES):
            total += int(value.split()[0])
        elif "-" in name.split(" ")[0]:  # the head of a mapping: addresses, permissions, offset, device, inode, path
            mapped = line.split(maxsplit=5)[5] if len(line.split(maxsplit=5)) == 6 else ""
    return total
