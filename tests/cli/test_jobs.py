"""`dolmino jobs status` says what an output tells: done, running where, failed why, left, how fast."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dolmino_cli.executors import failures, manifest, status
from dolmino_cli.executors.leases import Leases
from dolmino_cli.shards.output import Output
from tests.cli.run import Outcome, dolmino
from tests.executors.processes import wait_until
from tests.pipeline.make import RECIPE, line, write_shard
from tests.s3_server import S3Server

Run = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return lambda *arguments: dolmino(monkeypatch, capsys, *arguments)


def begin(output: Output, *, tasks: int, done: int) -> None:
    """A run of shares that began an hour ago and did `done` tasks in the last 10 minutes."""
    said = manifest.begun("filter", tasks=tasks, done=0, executor="8 shares", folder="ledger")
    output.put(".jobs/filter.json", json.dumps({**vars(said), "started": "2020-01-01T00:00:00+00:00"}).encode())
    for number in range(done):
        output.put(f"ledger/web/{number:06d}.jsonl.zst.json", b"{}")


def test_a_run_of_shares(tmp_path: Path, run: Run) -> None:
    output = Output(str(tmp_path / "out"))
    begin(output, tasks=20, done=5)
    old = time.time() - 360_000  # told in tenths of hours, so that a minute more is the same
    os.utime(tmp_path / "out/ledger/web/000004.jsonl.zst.json", (old, old))  # not of the last quarter of an hour
    failures.note(output, task="web/000009.jsonl.zst", phase="filter", reason="web/000009.jsonl.zst:3: no field `text`")
    elsewhere = {"owner": "0badcafe-1-1", "host": "node7", "since": manifest.now()}
    output.put("leases/filter/web/000010.jsonl.zst.json", json.dumps(elsewhere).encode())
    output.put("leases/filter/web/000011.jsonl.zst.json", json.dumps({**elsewhere, "host": "node8"}).encode())
    os.utime(tmp_path / "out/leases/filter/web/000011.jsonl.zst.json", (old, old))
    lease = Leases(output).take("filter/web/000012.jsonl.zst")
    assert lease is not None
    with lease:
        outcome = run("jobs", "status", tmp_path / "out")
        assert outcome.code == 0
        lines = outcome.out.splitlines()
        assert lines[0] == f"{tmp_path}/out: running, 5 tasks recorded"
        # 4 in 15 minutes are 16 an hour; 14 left take 52.5 minutes
        assert lines[1] == (
            "  phase filter, by 8 shares, tasks 20, done 5, running 3, failed 1, left 14, tasks/h 16, time left 52 min"
        )
        assert lines[2].startswith("  running: filter/web/000010.jsonl.zst on node7 for ")
        assert ", not heard of for 100.0 h" in "\n".join(lines)
        assert "  failed: web/000009.jsonl.zst: web/000009.jsonl.zst:3: no field `text` (on " in outcome.out
        found = json.loads(run("jobs", "status", tmp_path / "out", "--json").out)
        assert (found["state"], found["phases"][0]["left"], len(found["running"])) == ("running", 14, 3)


def test_nothing_is_there(tmp_path: Path, run: Run) -> None:
    outcome = run("jobs", "status", tmp_path / "nothing")
    assert (outcome.code, outcome.error) == (
        2,
        f"{tmp_path}/nothing holds no run: no tasks are recorded there; give what --output was",
    )


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    for number in range(3):
        write_shard(tmp_path / f"in/{number}.jsonl.zst", [line(1, 5, 7)])
    (tmp_path / "small.yaml").write_text(RECIPE)
    return tmp_path


@pytest.mark.parametrize("how", [(), ("--shard", "0/2")], ids=["local", "share"])
def test_a_run_that_is_done_and_one_that_failed(inputs: Path, run: Run, how: tuple[str, ...]) -> None:
    command = ("filter", inputs / "small.yaml", inputs / "in", "-o", inputs / "out", *how)
    (inputs / "in/bad.jsonl").write_bytes(b"{\n")
    assert run(*command).code == 1
    outcome = run("jobs", "status", inputs / "out")
    assert "phase filter, by " in outcome.out
    assert ", tasks 4, done 3, running 0, failed 1, left 0, " in outcome.out
    (inputs / "in/bad.jsonl").write_bytes(line(1, 5, 7) + b"\n")
    killed = manifest.begun("a phase that only the run before had", tasks=1, done=0, executor="local")
    manifest.save(Output(str(inputs / "out")), killed)
    assert run(*command).code == 0
    outcome = run("jobs", "status", inputs / "out")
    assert (outcome.code, outcome.out) == (0, f"{inputs}/out: done, 4 tasks recorded\n")


# A run that does one shard and never ends the second.
HANGS = """
import sys, time
from dolmino_cli.pipeline import run

real, begun = run.run_shard, []

def run_shard(task):
    begun.append(task)
    if len(begun) == 2:
        time.sleep(600)
    return real(task)

run.run_shard = run_shard
from dolmino_cli.cli.main import run as dolmino
dolmino()
"""


def test_a_run_that_was_killed_has_stopped(tmp_path: Path, inputs: Path, run: Run) -> None:
    command = [sys.executable, "-c", HANGS, "filter", "small.yaml", "in", "-o", "out"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen(command, cwd=inputs, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: list((tmp_path / "out/ledger").glob("*.json")))
            (said,) = json.loads(run("jobs", "status", tmp_path / "out", "--json").out)["phases"]
            assert (said["executor"], said["tasks"], said["running"]) == ("local", 3, 1)
            assert run("jobs", "status", tmp_path / "out").out.startswith(f"{tmp_path}/out: running, 1 tasks recorded\n")
        finally:
            process.kill()
    assert run("jobs", "status", tmp_path / "out").out.startswith(f"{tmp_path}/out: stopped, 1 tasks recorded\n")


def test_on_s3(s3: S3Server, run: Run) -> None:
    output = Output(s3.uri("jobs"))
    begin(output, tasks=20, done=5)
    outcome = run("jobs", "status", s3.uri("jobs"))
    assert outcome.out.splitlines()[:2] == [
        "s3://bucket/jobs: stopped, 5 tasks recorded",
        "  phase filter, by 8 shares, tasks 20, done 5, running 0, failed 0, left 15, tasks/h 20, time left 45 min",
    ]


def test_it_lists_and_does_not_read_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output(str(tmp_path / "out"))
    begin(output, tasks=3000, done=2000)
    opened: list[str] = []
    read = Output.read
    monkeypatch.setattr(Output, "read", lambda self, name: opened.append(name) or read(self, name))
    assert status.read(output).phases[0].left == 1000
    assert len(opened) < 10
