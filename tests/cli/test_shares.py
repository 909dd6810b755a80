"""`--shard I/N`: processes started with one command line give what one process gives, however many live to the end."""

from __future__ import annotations

import hashlib
import random
import signal
from pathlib import Path

import pytest

from tests.cli.run import dolmino
from tests.executors.processes import wait_until
from tests.executors.shares import end, start, unfinished
from tests.pipeline.make import RECIPE, line, read_json, tree, write_shard
from tests.s3_server import S3Server

SHARDS = 24


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shares")
    drawn = random.Random(7)
    for shard in range(SHARDS):
        lines = [line(number, drawn.randrange(1, 9), drawn.randrange(4)) for number in range(500)]
        write_shard(folder / f"in/{shard % 3}/{shard:02d}.jsonl.zst", lines)
    (folder / "small.yaml").write_text(RECIPE)
    return folder


def arguments(inputs: Path, output: object) -> tuple[object, ...]:
    return ("filter", inputs / "small.yaml", inputs / "in", "-o", output, "--rejects")


@pytest.fixture(scope="module")
def alone(inputs: Path) -> dict[str, bytes]:
    process = start(*arguments(inputs, inputs / "alone"))
    code, _, err = end(process)
    assert code == 0, err
    return tree(inputs / "alone")


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def test_three_at_once_give_what_one_gives(tmp_path: Path, inputs: Path, alone: dict[str, bytes]) -> None:
    processes = [start(*arguments(inputs, tmp_path / "out"), "--shard", f"{index}/3", "-w", 1 + index % 2) for index in range(3)]
    ends = [end(process) for process in processes]
    assert [code for code, _, _ in ends] == [0, 0, 0], ends
    assert digests(tree(tmp_path / "out")) == digests(alone)
    counts = read_json(tmp_path / "out/run.json")
    assert (counts["complete"], counts["shards"]) == (True, SHARDS)
    assert counts["counts"] == read_json(inputs / "alone/run.json")["counts"]
    tables = [out for _, out, _ in ends if "written to" in out]
    assert len(tables) >= 1
    for _, out, err in ends:
        assert ("written to" in out) != ("dolmino: share " in err)


def test_one_of_three_alone_and_then_the_others(tmp_path: Path, inputs: Path, alone: dict[str, bytes]) -> None:
    for index in (1, 0, 1):
        code, out, err = end(start(*arguments(inputs, tmp_path / "out"), "--shard", f"{index}/3"))
        assert (code, "written to" in out) == (0, True), err
        assert digests(tree(tmp_path / "out")) == digests(alone)


def test_when_one_is_killed_the_others_do_its_share(tmp_path: Path, inputs: Path, alone: dict[str, bytes]) -> None:
    with unfinished(tmp_path / "out", "filter/0/00.jsonl.zst"):
        first = start(*arguments(inputs, tmp_path / "out"), "--shard", "0/2", "-w", 2)
        wait_until(lambda: len(list((tmp_path / "out/ledger").rglob("*.json"))) >= 3)
        first.send_signal(signal.SIGKILL)
        first.communicate()
    assert first.returncode == -signal.SIGKILL
    assert not (tmp_path / "out/ledger/0/00.jsonl.zst.json").exists()
    assert read_json(tmp_path / "out/run.json")["complete"] is False
    code, _, err = end(start(*arguments(inputs, tmp_path / "out"), "--shard", "1/2"))
    assert code == 0, err
    assert digests(tree(tmp_path / "out")) == digests(alone)


def test_a_bad_shard_is_reported_after_the_rest_finished(tmp_path: Path, inputs: Path) -> None:
    for shard in range(4):
        write_shard(tmp_path / f"in/{shard}.jsonl.zst", [line(1, 5, 7)])
    (tmp_path / "in/bad.jsonl").write_bytes(b'{"id": "x", "text": }\n')
    command = ("filter", inputs / "small.yaml", tmp_path / "in", "-o", tmp_path / "out")
    for index in (1, 0):
        code, out, err = end(start(*command, "--shard", f"{index}/2"))
        assert (code, out) == (1, "")
        assert "bad.jsonl:1: invalid JSON" in err
        assert len(list((tmp_path / "out/documents").iterdir())) == 4
    assert read_json(tmp_path / "out/failures/bad.jsonl.json")["tries"] == 2
    # What was in its way is removed: its record goes, and the run is whole.
    (tmp_path / "in/bad.jsonl").write_bytes(line(1, 5, 7) + b"\n")
    code, out, err = end(start(*command, "--shard", "0/2"))
    assert (code, "written to" in out) == (0, True), err
    assert not (tmp_path / "out/failures/bad.jsonl.json").exists()
    assert read_json(tmp_path / "out/run.json")["complete"] is True


def test_on_s3(inputs: Path, alone: dict[str, bytes], s3: S3Server) -> None:
    ends = [
        end(process) for process in [start(*arguments(inputs, s3.uri("shares")), "--shard", f"{index}/2") for index in range(2)]
    ]
    assert [code for code, _, _ in ends] == [0, 0], ends
    found = digests(tree(s3.folder / s3.bucket / "shares"))
    # rclone itself keeps what it was receiving when a process was killed.
    assert {name: digest for name, digest in found.items() if ".rclone_temp" not in name} == digests(alone)


def test_a_share_that_is_none_is_refused(
    tmp_path: Path, inputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = dolmino(monkeypatch, capsys, *arguments(inputs, tmp_path / "out"), "--shard", "3/3")
    assert outcome.code == 2
    assert outcome.error == "--shard '3/3': give I/N, with I from 0 to N-1: 0/8, 1/8, ... 7/8"
    assert not (tmp_path / "out").exists()
