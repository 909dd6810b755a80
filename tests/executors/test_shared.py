"""A run divided among processes: any number of them, however they end, give what one gives, each task's result once."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dolmino_cli.errors import ConfigError, DataError, DolminoError, LeftToOthers, RunFailed
from dolmino_cli.executors import failures, status
from dolmino_cli.executors.attempt import Attempt, Named
from dolmino_cli.executors.board import MOST_DEATHS
from dolmino_cli.executors.executor import Phase
from dolmino_cli.executors.leases import EXPIRY_SECONDS, Leases
from dolmino_cli.executors.local import Local
from dolmino_cli.executors.shared import Shared, parse_share
from dolmino_cli.shards.output import Output
from dolmino_cli.shards.owner import owner
from tests.executors.processes import wait_until
from tests.executors.shares import at_once, begun
from tests.s3_server import S3Server

OURS_GONE = f"{owner().split('-')[0]}-0-1"  # of this machine; no process has the number 0
ELSEWHERE = json.dumps({"owner": "0badcafe-1-1", "host": "gone.example"}).encode()


def name_of(task: object) -> str:
    return f"task-{task}"


PHASE = Phase(name="square", name_of=name_of)
LAST = replace(PHASE, gathered=False)


def square(ran: Path, number: int) -> int:
    """What ran is told by a file per time."""
    ran.mkdir(exist_ok=True)
    (ran / f"{number}-{os.getpid()}-{time.monotonic_ns()}").touch()
    return number * number


def square_beside(ran: Path, processes: int, number: int) -> int:
    """As `square`, when so many processes have a task each: none of them comes when the others are done."""
    begun = ran.with_name("begun")
    begun.mkdir(exist_ok=True)
    (begun / str(os.getpid())).touch()
    wait_until(lambda: len(list(begun.iterdir())) >= processes)
    time.sleep(0.05)
    return square(ran, number)


def refuse_three(ran: Path, number: int) -> int | DolminoError:
    square(ran, number)
    return DataError("three is refused", path="numbers", line=3) if number == 3 else number


def times_ran(ran: Path) -> Counter[int]:
    return Counter(int(file.name.split("-")[0]) for file in ran.iterdir())


def share(output: Path | str, index: int = 0, of: int = 3, **options: Any) -> Shared:
    return Shared(index=index, of=of, output=Output(str(output)), poll_seconds=0.02, **options)


@dataclass(frozen=True)
class Recording:
    """A function of numbers that records its results, as tasks of a run do."""

    function: Callable[[int], Any]
    output: Output

    def __call__(self, number: int) -> Any:
        result = self.function(number)
        if not isinstance(result, DolminoError):
            self.output.put(f"ledger/task-{number}.json", json.dumps(result).encode())
        return result

    def recorded(self, number: int) -> Any | None:
        data = self.output.read(f"ledger/task-{number}.json")
        return None if data is None else json.loads(data)


def results(
    executor: Shared, function: Callable[[int], Any], phase: Phase, count: int = 20, folder: str = "ledger"
) -> list[tuple[int, Any]]:
    """As `attempt_all` has them, with what failed."""
    with executor.claim(executor.output):
        named = [Named(name=f"task-{number}", task=number) for number in range(count)]
        recording = Recording(function, executor.output)
        inner = replace(phase, name_of=lambda one: one.name, recorded=lambda one: recording.recorded(one.task), folder=folder)
        attempt = Attempt(function=recording, phase=phase.name, output=executor.output)
        return [(one.task, result) for one, result in executor.run_tasks(attempt, named, phase=inner)]


SQUARES = [(number, number * number) for number in range(20)]


@pytest.mark.parametrize("given", ["8/8", "-1/8", "1", "1/0", "a/b", "1/2/3", ""])
def test_a_share_is_i_of_n(given: str) -> None:
    assert parse_share("0/1") == (0, 1)
    assert parse_share("7/8") == (7, 8)
    with pytest.raises(ConfigError, match="I from 0 to N-1"):
        parse_share(given)


@pytest.mark.parametrize("phase", [PHASE, LAST], ids=["gathered", "last"])
@pytest.mark.parametrize("workers", [1, 2])
def test_one_of_several_alone_does_everything(tmp_path: Path, phase: Phase, workers: int) -> None:
    found = results(share(tmp_path / "out", index=1, workers=workers), partial(square, tmp_path / "ran"), phase)
    assert sorted(found) == SQUARES
    assert set(times_ran(tmp_path / "ran").values()) == {1}


def test_a_run_that_is_done_leaves_nothing_of_its_own(tmp_path: Path) -> None:
    results(share(tmp_path / "out"), partial(square, tmp_path / "ran"), LAST)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["ledger"]


def test_own_share_comes_first_then_the_others_from_their_end(tmp_path: Path) -> None:
    found = results(share(tmp_path / "out", index=1), partial(square, tmp_path / "ran"), PHASE, count=9)
    assert [task for task, _ in found] == [1, 4, 7, 8, 6, 5, 3, 2, 0]


def test_several_at_once_do_each_task_once_and_all_have_the_results(tmp_path: Path) -> None:
    function = partial(square_beside, tmp_path / "ran", 3)
    outcomes = at_once(*(partial(results, share(tmp_path / "out", index=index), function, PHASE) for index in range(3)))
    assert [sorted(found) for found in outcomes] == [SQUARES] * 3
    assert times_ran(tmp_path / "ran") == Counter(range(20))


def test_of_several_one_finishes_a_last_phase(tmp_path: Path) -> None:
    function = partial(square_beside, tmp_path / "ran", 3)
    outcomes = at_once(*(partial(results, share(tmp_path / "out", index=index), function, LAST) for index in range(3)))
    finished = [found for found in outcomes if isinstance(found, list)]
    left = [found for found in outcomes if isinstance(found, LeftToOthers)]
    assert (len(finished), len(left)) == (1, 2)
    assert sorted(finished[0]) == SQUARES
    assert times_ran(tmp_path / "ran") == Counter(range(20))


def test_the_same_share_given_twice_by_accident_does_each_task_once(tmp_path: Path) -> None:
    function = partial(square_beside, tmp_path / "ran", 2)
    outcomes = at_once(*(partial(results, share(tmp_path / "out", index=1), function, PHASE) for _ in range(2)))
    assert [sorted(found) for found in outcomes] == [SQUARES] * 2
    assert times_ran(tmp_path / "ran") == Counter(range(20))


def test_who_has_nothing_left_to_do_leaves_when_the_others_are_known_to_live(tmp_path: Path) -> None:
    output = Output(str(tmp_path / "out"))
    executor = share(tmp_path / "out", index=1, expiry_seconds=8.0)
    other = Leases(output, expiry_seconds=8.0).take("square/task-5")
    assert other is not None
    with other:
        (left,) = at_once(partial(results, executor, partial(square, tmp_path / "ran"), LAST))
    assert str(left) == "share 1/3: 19 tasks done here; 1 of 20 are being done by others"
    assert times_ran(tmp_path / "ran") == Counter(set(range(20)) - {5})


def test_a_lease_that_nobody_renews_is_taken_over(tmp_path: Path) -> None:
    output = Output(str(tmp_path / "out"))
    began = time.monotonic()
    output.put("leases/square/task-5.json", ELSEWHERE)
    found = results(share(tmp_path / "out", expiry_seconds=1.0), partial(square, tmp_path / "ran"), LAST)
    assert sorted(found) == SQUARES
    assert 0.9 < time.monotonic() - began < EXPIRY_SECONDS


def test_a_task_that_fails_is_tried_by_two_others_at_most_and_reported_by_all(tmp_path: Path) -> None:
    function = partial(refuse_three, tmp_path / "ran")
    for index in range(5):
        found = dict(results(share(tmp_path / "out", index=index, of=5), function, PHASE))
        assert "three is refused" in str(found.pop(3))
        assert found == {number: number for number in range(20) if number != 3}
    # Shares 0 to 2; then 3, whose task it is, in case what was in its way has been removed since.
    assert times_ran(tmp_path / "ran") == Counter(range(20)) + Counter({3: 3})
    failure = failures.recorded(Output(str(tmp_path / "out")), "task-3")
    assert failure is not None and (failure.reason, failure.tries) == ("numbers:3: three is refused", 4)


def test_a_task_that_its_share_tries_again_is_waited_for(tmp_path: Path) -> None:
    output = Output(str(tmp_path / "out"))
    for _ in range(3):
        failures.note(output, task="task-3", phase="square", reason="it was bad")
    owning = partial(results, share(output.root, index=0), partial(very_slow_square, tmp_path / "ran"), PHASE, 4)
    other = partial(results, share(output.root, index=1), partial(wait_for_three, tmp_path / "ran", output), PHASE, 4)
    assert [sorted(found) for found in at_once(owning, other)] == [SQUARES[:4]] * 2
    assert times_ran(tmp_path / "ran") == Counter(range(4))


def very_slow_square(ran: Path, number: int) -> int:
    time.sleep(0.5)
    return square(ran, number)


def wait_for_three(ran: Path, output: Output, number: int) -> int:
    wait_until(lambda: output.exists("leases/square/task-3.json") or output.exists("ledger/task-3.json"))
    return square(ran, number)


def test_how_far_a_phase_is_that_has_no_folder_of_records(tmp_path: Path) -> None:
    output, done = Output(str(tmp_path / "out")), {5, 6}
    failures.note(output, task="task-3", phase="square", reason="bad")
    phase = replace(PHASE, recorded=lambda task: task if task in done else None, name_of=lambda task: f"task-{task}")

    def do(task: int) -> int | None:
        done.update({task, task + 1})
        return task

    executor, seen = share(output.root, of=1), []
    with executor.claim(output):
        for _ in executor.run_tasks(do, range(7), phase=phase):
            (one,) = status.read(output).phases
            seen.append((one.tasks, one.done, one.failed, one.running))
    assert seen[0] == (7, 2, 1, 0)
    assert seen[-1] == (7, 7, 0, 0)
    assert not (tmp_path / "out/.jobs").exists()


def kill_at_three(ran: Path, number: int) -> int:
    square(ran, number)
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def begin_and_wait(call: Callable[[], Any]) -> int | None:
    """The exit code of a process that makes the call."""
    process = begun(call)
    process.join()
    return process.exitcode


def test_a_task_that_kills_the_whole_process_again_and_again_fails_by_name_and_the_rest_is_done(tmp_path: Path) -> None:
    call = partial(results, share(tmp_path / "out"), partial(kill_at_three, tmp_path / "ran"), LAST)
    assert [begin_and_wait(call) for _ in range(MOST_DEATHS)] == [-signal.SIGKILL] * MOST_DEATHS
    found = dict(call())
    assert str(found.pop(3)) == "task-3: killed its worker 5 times (the whole process each time; out of memory?)"
    assert found == {number: number for number in range(20) if number != 3}
    assert times_ran(tmp_path / "ran")[3] == MOST_DEATHS
    assert begin_and_wait(call) == -signal.SIGKILL, "a rerun tries it again"


def test_a_task_that_kills_workers_fails_by_name_once_and_a_rerun_counts_anew(tmp_path: Path) -> None:
    call = partial(results, share(tmp_path / "out", workers=2), partial(kill_at_three, tmp_path / "ran"), LAST)
    for deaths in (3, 6):
        found = call()
        (result,) = [result for task, result in found if task == 3]
        assert str(result) == "task-3: killed its worker 3 times (killed by SIGKILL; out of memory?)"
        assert times_ran(tmp_path / "ran")[3] == deaths
        assert not (tmp_path / "out/leases").exists()


def test_a_phase_that_is_done_leaves_no_leases_or_unfinished_files_of_killed_processes(tmp_path: Path) -> None:
    output = Output(str(tmp_path / "out"))
    dead = {"owner": OURS_GONE, "host": "here"}
    output.put("leases/square/folder/task-99.json", json.dumps(dead).encode())
    output.put(f"documents/.a.{OURS_GONE}.partial", b"half")
    assert len(results(share(tmp_path / "out"), partial(square, tmp_path / "ran"), PHASE)) == 20
    assert {path.relative_to(tmp_path / "out").parts[0] for path in (tmp_path / "out").rglob("*") if path.is_file()} == {"ledger"}
    assert not (tmp_path / "out/leases").exists()


def test_a_task_that_succeeds_after_failing_has_no_record_of_it(tmp_path: Path) -> None:
    results(share(tmp_path / "out"), partial(refuse_three, tmp_path / "ran"), PHASE)
    assert (tmp_path / "out/failures/task-3.json").is_file()
    found = dict(results(share(tmp_path / "out"), partial(square, tmp_path / "ran"), PHASE))
    assert found[3] == 9 and len(found) == 20
    assert not (tmp_path / "out/failures/task-3.json").exists()


@pytest.mark.parametrize("phase", [PHASE, LAST], ids=["gathered", "last"])
def test_nor_has_one_that_failed_elsewhere_since_this_process_looked(tmp_path: Path, phase: Phase) -> None:
    output = Output(str(tmp_path / "out"))

    def function(number: int) -> int:
        if number == 0:
            failures.note(output, task="task-3", phase="square", reason="another's disk was full")
        return number * number

    assert sorted(results(share(output.root), function, phase)) == SQUARES
    assert failures.names(output) == set()


def test_who_failed_at_what_another_is_trying_leaves_it_to_that_one_to_finish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it succeeds while this one is finishing, it leaves, and nobody finishes a run that is done."""
    output, take, taken = Output(str(tmp_path / "out")), Leases.take, list[str]()

    def function(number: int) -> int | DolminoError:
        if number == 6:
            output.put("leases/square/task-3.json", ELSEWHERE)
        return DataError("three is refused", path="numbers", line=3) if number == 3 else number

    monkeypatch.setattr(Leases, "take", lambda leases, name: (taken.append(name), take(leases, name))[1])
    found = dict(results(share(output.root), function, LAST))
    assert (str(found.pop(3)), len(found)) == ("numbers:3: three is refused", 19)
    assert "finish" not in taken


@pytest.mark.parametrize("folder", ["ledger", ""])
def test_recorded_tasks_are_not_done_again(tmp_path: Path, folder: str) -> None:
    for number in (2, 7):
        Output(str(tmp_path / "out")).put(f"ledger/task-{number}.json", str(-number).encode())
    found = results(share(tmp_path / "out"), partial(square, tmp_path / "ran"), LAST, folder=folder)
    assert sorted(found) == [(number, -number if number in (2, 7) else number * number) for number in range(20)]
    assert times_ran(tmp_path / "ran") == Counter(set(range(20)) - {2, 7})


def test_several_tasks_of_one_name_may_run_at_once(tmp_path: Path) -> None:
    """Helpers of a large shard: each has a lease of its own, and the name is done when its record is there."""
    output = Output(str(tmp_path / "out"))
    phase = Phase(name="help", name_of=lambda task: "one", recorded=lambda task: 1 if output.exists("ledger/one.json") else None)
    executor = share(tmp_path / "out", of=1, workers=2)
    with executor.claim(output):
        found = list(executor.run_tasks(partial(meet, output), range(2), phase=phase))
    assert sorted(found) == [(0, 0), (1, 1)]


def meet(output: Output, number: int) -> int:
    """Wait until the other one is there, too."""
    output.put(f"met/{number}", b"")
    wait_until(lambda: output.exists(f"met/{1 - number}"))
    if number == 0:
        output.put("ledger/one.json", b"{}")
    return number


def test_a_directed_run_and_shares_refuse_each_other(tmp_path: Path) -> None:
    output = Output(str(tmp_path / "out"))
    with Local().claim(output), pytest.raises(RunFailed, match="another run is writing"):
        results(share(tmp_path / "out"), partial(square, tmp_path / "ran"), LAST)


def test_on_s3(tmp_path: Path, s3: S3Server) -> None:
    function = partial(square_beside, tmp_path / "ran", 2)
    outcomes = at_once(*(partial(results, share(s3.uri("shared"), index=index), function, PHASE, 8) for index in range(2)))
    assert [sorted(found) for found in outcomes] == [SQUARES[:8]] * 2
    assert sorted(results(share(s3.uri("shared")), function, LAST, 8)) == SQUARES[:8]
    left = [path for path in (s3.folder / s3.bucket / "shared").rglob("*") if path.is_file()]
    assert {path.name for path in left if not path.name.startswith(".rclone_temp")} == {f"task-{n}.json" for n in range(8)}


@pytest.mark.parametrize("phase", [PHASE, LAST], ids=["gathered", "last"])
def test_on_s3_what_a_killed_process_of_this_machine_had_is_done_at_once_and_anothers_waited_for(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, phase: Phase
) -> None:
    output, waited = Output(s3.uri("left")), list[int]()

    def wait(_: float) -> None:
        waited.append(len(list(s3.file("left/ledger").glob("*.json"))))
        assert waited[-1] == 5, "all but what another machine has"
        output.delete("leases/square/task-5.json")  # given back

    monkeypatch.setattr("dolmino_cli.executors.shared.time", SimpleNamespace(monotonic=time.monotonic, sleep=wait))
    for task in (0, 4):  # of its own share, and one that it helped with
        output.put(f"leases/square/task-{task}.json", json.dumps({"owner": OURS_GONE}).encode())
    output.put("leases/square/task-5.json", ELSEWHERE)
    assert sorted(results(share(output.root), lambda number: number**2, phase, 6)) == SQUARES[:6]
    assert waited
