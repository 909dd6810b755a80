"""--metrics: what Prometheus' textfile collector reads is right, whole at any time, and never stops a run."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import pytest

from dolmino_cli.errors import RunFailed, StorageError
from dolmino_cli.executors.attempt import attempt_all
from dolmino_cli.executors.counters import Counters, advance
from dolmino_cli.executors.executor import Phase
from dolmino_cli.executors.local import Local
from dolmino_cli.executors.metrics import Metrics, PhaseFigures
from dolmino_cli.executors.watched import Watched
from dolmino_cli.shards import s3_troubles
from dolmino_cli.shards.ledger import LedgerEntry
from dolmino_cli.shards.output import Output
from tests.executors.processes import wait_until
from tests.executors.test_attempt import Task, do

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_SAMPLE = re.compile(rf'({_NAME})\{{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\}} (\S+)')
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"')


def parse(text: str) -> Samples:
    """The exposition format, strictly: each metric one HELP, one TYPE, then its samples; each sample once."""
    assert text.endswith("\n") and "\n\n" not in text
    samples: Samples = {}
    seen: dict[str, str] = {}
    current = ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split(" ")[2]
            assert re.fullmatch(_NAME, current) and current not in seen, line
            seen[current] = ""
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == current and not seen[name] and kind in ("counter", "gauge"), line
            assert (kind == "counter") == name.endswith("_total"), line
            seen[name] = kind
        else:
            found = _SAMPLE.fullmatch(line)
            assert found and found.group(1) == current and seen[current], line
            unescaped = {k: re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), v) for k, v in _LABEL.findall(found.group(2))}
            key = (current, frozenset(unescaped.items()))
            assert key not in samples, line
            samples[key] = float(found.group(3))
    return samples


def of(samples: Samples, name: str, **labels: str) -> float:
    (value,) = [value for (metric, has), value in samples.items() if metric == name and labels.items() <= dict(has).items()]
    return value


LABELS = {"verb": "filter", "recipe": 'a "b" \\ c\nd', "output": "s3://bucket/out"}


def count(task: Task) -> LedgerEntry:
    number = do(task)
    s3_troubles.note("SlowDown", 0.5)
    advance(documents=10, bytes=1000)
    seconds = {"read": 0.25, "keep": 0.5}
    return LedgerEntry(name=str(number), recipe={}, input={}, counts={}, bytes={}, outputs={}, seconds=seconds)


def test_a_run_is_counted_to_its_end(tmp_path: Path) -> None:
    before, metrics = time.time(), Metrics(str(tmp_path / "dolmino.prom"), LABELS)
    executor = Watched(executor=Local(workers=2), metrics=metrics)
    tasks = [Task(number=n, folder=tmp_path, bad={4: "data", 5: "killed"}.get(n, "")) for n in range(8)]
    phase = Phase(name="filter", name_of=lambda task: str(task.number))
    with pytest.raises(RunFailed), executor.claim(Output(str(tmp_path / "out"))):
        for _ in attempt_all(executor, count, tasks, phase=phase, what="shards", counters=Counters(workers=2)):
            pass
    samples = parse((tmp_path / "dolmino.prom").read_text())
    states = {state: of(samples, "dolmino_tasks", state=state, **LABELS) for state in ("total", "done", "failed", "running")}
    assert states == {"total": 8, "done": 6, "failed": 2, "running": 0}
    assert of(samples, "dolmino_documents_total", phase="filter") == 60
    assert of(samples, "dolmino_text_bytes_total") == 6000
    assert of(samples, "dolmino_stage_seconds_total", stage="read") == 1.5
    assert of(samples, "dolmino_stage_seconds_total", stage="keep") == 3.0
    assert of(samples, "dolmino_task_retries_total") == 2
    assert of(samples, "dolmino_s3_retries_total", why="SlowDown", **LABELS) == 6
    assert before <= of(samples, "dolmino_run_start_time_seconds") <= time.time()


def test_the_file_follows_the_run(tmp_path: Path) -> None:
    place = tmp_path / "dolmino.prom"
    figures = PhaseFigures(name="filter", workers=3, counters=Counters(workers=1), total=10)
    with Metrics(str(place), LABELS, every_seconds=0.01) as metrics:
        assert {name for name, _ in parse(place.read_text())} <= {"dolmino_run_start_time_seconds", "dolmino_s3_retries_total"}
        figures.handed, figures.done = 7, 2
        metrics.phase(figures)
        wait_until(lambda: "dolmino_tasks" in place.read_text())
        samples = parse(place.read_text())
        assert (of(samples, "dolmino_tasks", state="done"), of(samples, "dolmino_tasks", state="running")) == (2, 3)
        figures.done = 7
        s3_troubles.note("SlowDown", 0.5)
    assert of(parse(place.read_text()), "dolmino_s3_retries_total", why="SlowDown") == 1
    assert of(parse(place.read_text()), "dolmino_tasks", state="done") == 7
    assert [path.name for path in tmp_path.iterdir()] == ["dolmino.prom"]


def test_no_write_under_way_comes_after_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "dolmino.prom"
    figures = PhaseFigures(name="filter", workers=3, counters=Counters(workers=1), total=10)
    put, begun, written = Output.put, threading.Event(), threading.Event()

    def slow_beside_the_run(output: Output, name: str, data: bytes) -> None:
        beside = threading.current_thread() is not threading.main_thread()
        if beside:
            begun.set()
            time.sleep(0.2)
        put(output, name, data)
        if beside:
            written.set()

    monkeypatch.setattr(Output, "put", slow_beside_the_run)
    with Metrics(str(place), LABELS, every_seconds=0.01) as metrics:
        metrics.phase(figures)
        assert begun.wait(60)
        figures.handed = figures.done = 7
    assert written.wait(60)
    assert of(parse(place.read_text()), "dolmino_tasks", state="done") == 7


def test_a_bad_path_is_refused_before_the_run_and_tolerated_in_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError), Metrics(str(tmp_path / "file/x.prom"), LABELS):
        pass
    folder = tmp_path / "folder"
    with Metrics(str(folder / "x.prom"), LABELS):
        (folder / "x.prom").unlink()
        folder.rmdir()
        folder.touch()


def test_every_task_has_a_log_when_asked(tmp_path: Path) -> None:
    executor = Watched(executor=Local(workers=1), task_logs=True)
    tasks = [Task(number=n, folder=tmp_path) for n in range(2)]
    phase = Phase(name="count", name_of=lambda task: str(task.number))
    assert len(list(attempt_all(executor, do, tasks, phase=phase, what="numbers", output=Output(str(tmp_path / "out"))))) == 2
    for number in range(2):
        assert (tmp_path / f"out/logs/count/{number}.log").read_text().endswith("s: done\n")
