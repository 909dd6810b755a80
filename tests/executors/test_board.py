"""What a process makes of the others' leases: which are of processes that live, and which were left behind."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from dolmino_cli.executors.board import Board, Piece, Records
from dolmino_cli.executors.executor import Phase
from dolmino_cli.executors.leases import EXPIRY_SECONDS, Leases
from dolmino_cli.shards.output import Output
from dolmino_cli.shards.owner import owner
from tests.s3_server import S3Server

PIECES = [Piece(task=number, name=f"task-{number}", lease=f"square/task-{number}", own=number > 0) for number in range(3)]


class Store:
    """What listings tell, and a clock that they share: `ages_seconds` are those of leases; a listing of records takes long."""

    def __init__(self) -> None:
        self.now, self.ages_seconds = 0.0, dict[str, float]()

    def ages(self, _: Output, folder: str, __: str) -> dict[str, float]:
        if folder == "ledger":
            self.now += 10
        return self.ages_seconds if folder == "leases/square" else {}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    store = Store()
    monkeypatch.setattr("dolmino_cli.executors.board.ages", store.ages)
    monkeypatch.setattr("dolmino_cli.executors.board.time", SimpleNamespace(monotonic=lambda: store.now))
    return store


def board(output: str) -> Board:
    records = Records(output=Output(output), folder="ledger")
    return Board(records=records, phase=Phase(name="square"), pieces=PIECES, expiry_seconds=EXPIRY_SECONDS)


def test_who_renewed_a_lease_since_it_was_seen_and_lately_is_alive(store: Store) -> None:
    """It is renewed every 22.5 s, if at all."""
    store.ages_seconds = {"task-0": 0.4}
    seen = board("out")
    assert not seen.surely_held(PIECES[0]), "it was not renewed while the records were listed"
    found = {}
    for store.now, age_seconds in ((15.0, 15.4), (25.0, 2.5), (46.0, 23.5), (50.0, 27.5), (70.0, 2.5)):
        looked, store.ages_seconds = store.now, {"task-0": age_seconds}
        seen.look()
        found[looked] = seen.surely_held(PIECES[0])
    assert found == {15: False, 25: True, 46: True, 50: False, 70: True}


def test_leases_of_processes_of_this_machine_that_ended_are_found_and_others_are_asked_about_seldom(
    store: Store, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    holders = {"task-0": f"{owner().split('-')[0]}-0-1", "task-1": "0badcafe-1-1", "task-2": owner()}
    asked: list[str] = []
    holder = Leases.holder
    monkeypatch.setattr(Leases, "holder", lambda self, name: (asked.append(name), holder(self, name))[1])
    seen = board(s3.uri("out"))
    for name, who in holders.items():
        seen.records.output.put(f"leases/square/{name}.json", json.dumps({"owner": who}).encode())

    def find(*ages_seconds: float) -> tuple[bool, list[bool], list[str]]:
        store.ages_seconds = dict(zip(holders, ages_seconds, strict=True))
        asked.clear()
        seen.look()
        return seen.find_left_behind(PIECES), [seen.held(piece) for piece in PIECES], [name[-1] for name in asked]

    assert find(0, 0, 0) == (True, [False, True, True], ["1", "2", "0"]), "its own share's first"
    assert find(9, 9, 0) == (True, [False, True, True], ["0"]), "it was not taken meanwhile"
    seen.records.output.delete("leases/square/task-0.json")
    assert find(9, 30, 9)[1:] == ([True, True, True], ["1", "0"]), "one was not renewed"
    assert find(9, 40, 9)[2] == []
    assert find(9, 91, 9) == (False, [True, False, True], [])
