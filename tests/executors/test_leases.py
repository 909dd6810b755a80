"""Of several processes one has a task; what a process that ended had is taken over; who lost a lease learns it."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from dolmino_cli.executors.leases import Lease, LeaseLost, Leases
from dolmino_cli.shards.output import Output
from tests.executors.processes import wait_until
from tests.executors.shares import begun
from tests.s3_server import S3Server

ELSEWHERE = json.dumps({"owner": "0badcafe-1-1", "host": "elsewhere.example"}).encode()


@pytest.fixture(params=["local", "s3"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Output]:
    if request.param == "local":
        yield Output(str(tmp_path / "out"))
    else:
        server: S3Server = request.getfixturevalue("s3")
        yield Output(server.uri(f"leases-{tmp_path.name}"))


def test_a_lease_is_taken_once_and_free_again_when_given_back(output: Output) -> None:
    leases = Leases(output)
    lease = leases.take("shards/a.jsonl")
    assert lease is not None
    with lease:
        assert leases.take("shards/a.jsonl") is None
        other = leases.take("shards/b.jsonl")
        assert other is not None
        with other:
            lease.check()
        holder = json.loads(leases.holder("shards/a.jsonl") or "")
        assert holder["host"] == socket.gethostname()
        assert not leases.is_free("shards/a.jsonl")
    assert leases.holder("shards/a.jsonl") is None
    assert leases.is_free("shards/a.jsonl")
    again = leases.take("shards/a.jsonl")
    assert again is not None
    with again:
        pass


def test_another_machines_lease_holds_until_it_is_silent_for_too_long(output: Output) -> None:
    output.put("leases/a.json", ELSEWHERE)
    assert Leases(output, expiry_seconds=60).take("a") is None
    leases = Leases(output, expiry_seconds=0.5)
    time.sleep(2.1)  # S3 tells whole seconds
    lease = leases.take("a")
    assert lease is not None
    with lease:
        assert leases.holder("a") != ELSEWHERE.decode()


def _take_and_die(output: Output) -> None:
    os._exit(1 if Leases(output).take("a") is None else 9)


def test_a_lease_of_a_dead_process_of_this_machine_is_free_at_once(output: Output) -> None:
    process = begun(partial(_take_and_die, output))
    process.join()
    assert process.exitcode == 9
    leases = Leases(output)
    assert leases.holder("a") is not None
    assert leases.is_free("a")
    lease = leases.take("a")
    assert lease is not None
    with lease:
        lease.check()


def test_a_damaged_lease_is_kept_until_it_is_old(output: Output) -> None:
    damaged = {"cut": b"{", "empty": b"", "no text": b"\xff"}
    for name, content in damaged.items():
        output.put(f"leases/{name}.json", content)
        assert Leases(output).take(name) is None
    time.sleep(2.1)
    for name in damaged:
        lease = Leases(output, expiry_seconds=0.5).take(name)
        assert lease is not None, name
        with lease:
            pass


def test_a_lease_may_be_given_back_while_its_age_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output, touch = Output(str(tmp_path)), Path.touch
    output.put("leases/a.json", ELSEWHERE)

    def then_given_back(clock: Path) -> None:
        touch(clock)
        output.delete("leases/a.json")

    monkeypatch.setattr(Path, "touch", then_given_back)
    assert Leases(output).take("a") is None
    assert Leases(output).is_free("a")


def test_who_was_silent_for_too_long_learns_it_and_leaves_the_others_lease_alone(output: Output) -> None:
    lease = Leases(output).take("a")
    assert lease is not None
    output.put("leases/a.json", ELSEWHERE)
    with lease, pytest.raises(LeaseLost, match="a: another worker took this task over"):
        lease.check()
    assert output.read("leases/a.json") == ELSEWHERE


def test_a_lease_is_renewed_while_it_is_held(output: Output) -> None:
    leases = Leases(output, expiry_seconds=2.0)
    lease = leases.take("a")
    assert lease is not None
    with lease:
        time.sleep(3.2)  # longer than it would hold without being renewed
        wait_until(lambda: (output.age_seconds("leases/a.json") or 0) < 2.0)  # the next renewal may be late
        assert leases.take("a") is None
        lease.check()


def test_a_renewal_does_not_bring_back_a_lease_that_was_lost(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    lost, renewed = threading.Event(), threading.Event()
    check = Lease.check

    def when_lost(lease: Lease) -> None:
        assert lost.wait(60)
        try:
            check(lease)
        finally:
            renewed.set()

    monkeypatch.setattr(Lease, "check", when_lost)
    lease = Leases(output, expiry_seconds=0.4).take("a")
    assert lease is not None
    output.put("leases/a.json", ELSEWHERE)
    lost.set()
    with lease:
        assert renewed.wait(60)
    assert output.read("leases/a.json") == ELSEWHERE
