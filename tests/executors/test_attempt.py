"""Every task is tried; what failed is recorded in the output, said at the end, and forgotten when it succeeds."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dolmino_cli.errors import DataError, RunFailed
from dolmino_cli.executors.attempt import attempt_all
from dolmino_cli.executors.executor import Phase
from dolmino_cli.executors.local import Local
from dolmino_cli.executors.task_log import TaskLog
from dolmino_cli.shards import s3_troubles
from dolmino_cli.shards.output import Output


@dataclass(frozen=True, kw_only=True)
class Task:
    """`bad`: data, bug, killed or said - until the file `repaired` is there."""

    number: int
    folder: Path
    bad: str = ""


def do(task: Task) -> int:
    if (task.folder / "repaired").exists():
        return task.number
    if task.bad == "data":
        raise DataError("not a number", path=f"n{task.number}", line=7)
    if task.bad == "bug":
        return [task.number][1]
    if task.bad == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if task.bad == "said":
        s3_troubles.note("SlowDown", 1.5)
        logging.getLogger("dolmino_cli.test").warning("slow, %s", os.environ.get("AWS_SECRET_ACCESS_KEY"))
    return task.number


def run(folder: Path, bads: dict[int, str], *, tasks: int = 6, workers: int = 2) -> dict[int, int]:
    todo = [Task(number=n, folder=folder, bad=bads.get(n, "")) for n in range(tasks)]
    phase = Phase(name="count", name_of=lambda task: f"group/{task.number:02d}")
    outcomes = attempt_all(Local(workers=workers), do, todo, phase=phase, what="numbers", output=Output(str(folder / "out")))
    return {task.number: result for task, result in outcomes}


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder / "out")) for path in (folder / "out").rglob("*") if path.is_file())


@pytest.mark.parametrize("workers", [1, 2])
def test_one_failure_is_raised_as_it_is_when_the_others_are_done(tmp_path: Path, workers: int) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    with pytest.raises(DataError) as caught:
        run(tmp_path, {3: "data"}, workers=workers)
    assert str(caught.value) == "n3:7: not a number"
    record = json.loads((tmp_path / "out/failures/group/03.json").read_text())
    assert before <= datetime.fromisoformat(record.pop("at")) <= datetime.now(UTC)
    expected = {"task": "group/03", "phase": "count", "reason": "n3:7: not a number", "host": socket.gethostname(), "tries": 1}
    assert record == expected


def test_records_count_tries_and_go_when_the_task_succeeds(tmp_path: Path) -> None:
    for tries in (1, 2):
        with pytest.raises(RunFailed, match=r"2 of 6 numbers failed.*\n  .*\n  .*"):
            run(tmp_path, {3: "data", 5: "bug"})
        assert json.loads((tmp_path / "out/failures/group/03.json").read_text())["tries"] == tries
    logs = ["logs/count/group/03.log", "logs/count/group/05.log"]
    assert files(tmp_path) == ["failures/group/03.json", "failures/group/05.json", *logs]
    (tmp_path / "repaired").touch()
    assert run(tmp_path, {3: "data", 5: "bug"}) == {n: n for n in range(6)}
    assert files(tmp_path) == logs


def test_a_mistake_of_ours_fails_its_task_only_and_its_log_says_where(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match=r"group/02: IndexError: list index out of range") as caught:
        run(tmp_path, {2: "bug"})
    assert "in do" in caught.value.__notes__[0]
    log = (tmp_path / "out/logs/count/group/02.log").read_text()
    assert log.startswith("== count group/02, begun 20") and "IndexError: list index out of range" in log and "in do\n" in log


def test_a_task_that_kills_its_workers_is_a_failure_like_any(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match=r"^group/04: killed its worker 3 times \(killed by SIGKILL; out of memory\?\)$"):
        run(tmp_path, {4: "killed"})
    assert json.loads((tmp_path / "out/failures/group/04.json").read_text())["reason"].startswith("group/04: killed its worker")


def test_twenty_failures_are_listed_and_the_rest_counted(tmp_path: Path) -> None:
    with pytest.raises(RunFailed) as caught:
        run(tmp_path, dict.fromkeys(range(25), "data"), tasks=30, workers=1)
    lines = str(caught.value).splitlines()
    assert lines[0] == "25 of 30 numbers failed; the others are done and skipped on a rerun:"
    assert lines[1:21] == [f"  n{n}:7: not a number" for n in range(20)]
    assert lines[21:] == [f"  and 5 more: all are in {tmp_path}/out/failures"]
    assert len(list((tmp_path / "out/failures/group").iterdir())) == 25


@pytest.mark.parametrize("workers", [1, 2])
def test_a_warning_makes_a_log_and_secrets_are_not_in_it(tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abc/def+secret")
    assert run(tmp_path, {1: "said"}, workers=workers) == {n: n for n in range(6)}
    assert files(tmp_path) == ["logs/count/group/01.log"]
    log = (tmp_path / "out/logs/count/group/01.log").read_text()
    assert "WARNING dolmino_cli.test: slow, *\n" in log and log.endswith("s: done\n")
    assert "\nS3: 1 request was tried again (1 SlowDown), 2 s waited\n" in log


def test_helpers_of_one_task_that_end_at_once_each_have_their_part_in_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, read = Output(str(tmp_path)), Output.read

    def save(reason: str) -> None:
        with TaskLog(phase="count", task="big") as log:
            log.failed(reason, "")
        log.save(output)

    def then_another_is_faster(self: Output, name: str) -> bytes | None:
        found = read(self, name)
        monkeypatch.undo()
        save("second")
        return found

    save("first")
    monkeypatch.setattr(Output, "read", then_another_is_faster)
    save("third")
    ends = [line for line in (tmp_path / "logs/count/big.log").read_text().splitlines() if line.startswith("after ")]
    assert [line.rpartition(" ")[2] for line in ends] == ["first", "second", "third"]
