"""The journal keeps what was stored through any end of a run, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dolmino_cli.errors import DataError, RunFailed, StorageError
from dolmino_cli.sources.rewriting.account import Account
from dolmino_cli.sources.rewriting.journal import Journal, killed, locked, read_header, stored
from dolmino_cli.sources.rewriting.outcome import Outcome

RECIPE, INPUT = {"name": "rewrite x"}, {"bytes": 3}


def outcome(number: int, kind: str = "answer") -> Outcome:
    fields = {"number": number, "line": number + 1, "copy": 0, "request": f"{number:064x}", "text": f"answer {number}"}
    return Outcome(**fields, kind=kind, prompt_tokens=10, completion_tokens=number, seconds=0.5, tries={"http 500": 1})  # type: ignore[arg-type]


def journal(path: Path, requests: int = 5) -> Journal:
    return Journal(path, recipe=RECIPE, input=INPUT, requests=requests)


def test_what_was_stored_is_found_again_by_number(tmp_path: Path) -> None:
    path = tmp_path / "a" / "x.answers"
    first = journal(path)
    first.store([outcome(3), outcome(0)])
    first.store([outcome(1)])
    first.close()
    again = journal(path)
    assert [number in again for number in range(5)] == [True, True, False, True, False]
    assert list(again.outcomes(range(2))) == [outcome(0), outcome(1)]
    assert again.same(3, (3).to_bytes(32, "big"))
    other = bytes([1]) + bytes(31)
    assert not again.same(3, other)
    assert read_header(path) == (RECIPE, INPUT)
    assert again.account == Account(
        answers=3, prompt_tokens=30, completion_tokens=4, answer_seconds=1.5, retries=again.account.retries
    )
    assert (again.account.requests, again.account.maybe_charged, again.cut_bytes) == (6, 0, 0)
    assert stored(path)[0] == 3


@pytest.mark.parametrize("left", [1, 20, -1])
def test_an_unfinished_last_line_is_cut_off(tmp_path: Path, left: int) -> None:
    path = tmp_path / "x.answers"
    begun = journal(path)
    begun.store([outcome(0)])
    whole = path.read_bytes()
    begun.store([outcome(1)])
    begun.close()
    torn = path.read_bytes()[len(whole) :][:left]
    path.write_bytes(whole + torn)
    assert stored(path)[0] == 1
    again = journal(path)
    assert (0 in again, 1 in again, again.cut_bytes) == (True, False, len(torn))
    assert path.read_bytes() == whole
    again.store([outcome(1)])
    assert list(again.outcomes(range(2))) == [outcome(0), outcome(1)]


def test_a_torn_header_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "x.answers"
    path.write_bytes(b'{"dolmino_ans')
    assert read_header(path) is None
    journal(path).close()
    assert read_header(path) == (RECIPE, INPUT)


def test_damage_before_the_end_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.answers"
    journal(path).store([outcome(0), outcome(1)])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b'{"number": "x"}\n' + lines[2])
    with pytest.raises(DataError, match=r"x.answers:2: damaged journal .* cut it before this line"):
        journal(path)
    path.write_bytes(lines[0] + lines[2])
    with pytest.raises(DataError, match="request 1 of a shard of 1"):
        journal(path, requests=1)
    path.write_bytes(json.dumps({"dolmino_answers": 99, "recipe": {}, "input": {}}).encode() + b"\n")
    with pytest.raises(DataError, match="journal of format 99, this dolmino reads 1"):
        read_header(path)


def test_what_was_not_paid_for_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "x.answers"
    first = journal(path)
    first.store([outcome(0, "too_long"), outcome(1, "refused"), outcome(2, "bad_request"), outcome(3, "gave_up")])
    assert [number in first for number in range(4)] == [True, True, True, False]
    first.close()
    again = journal(path)
    assert [number in again for number in range(4)] == [False, True, False, False]
    assert (again.account.refusals, again.account.answers, again.account.retries.total()) == (3, 0, 4)


def test_two_runs_do_not_share_a_journal_and_killed_ones_are_counted(tmp_path: Path) -> None:
    with (
        locked(tmp_path, concurrency=8),
        pytest.raises(RunFailed, match="another run is writing"),
        locked(tmp_path, concurrency=8),
    ):
        pass
    assert killed(tmp_path) == (0, 0)
    (tmp_path / "runs").write_text("began 8\nbegan 16\nended\nbegan 4\n")
    with locked(tmp_path, concurrency=1):
        pass
    assert killed(tmp_path) == (2, 12)


def test_a_failed_write_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.answers"
    begun = journal(path)
    begun.store([outcome(0)])
    whole = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fdatasync", full)
    with pytest.raises(StorageError, match="the disk is full"):
        begun.store([outcome(1)])
    assert path.read_bytes() == whole and 1 not in begun
