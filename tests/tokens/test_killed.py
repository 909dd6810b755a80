"""A run that was killed with SIGKILL and started again gives what an undisturbed run gives."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.shards.ledger import LedgerEntry
from dolmino_cli.tokens import tasks
from dolmino_cli.tokens.encode import Encoded
from dolmino_cli.tokens.retokenize import plan_retokenize, retokenize
from tests.executors.processes import wait_until
from tests.tokenizer.make import byte_level
from tests.tokens.make import content, many_shards

PACK, RUN, DOCUMENTS = tasks.pack, tasks.run, tasks._documents
ROOT = Path(__file__).resolve().parents[2]
KILLED_IN_THE_MIDDLE = """
import os, signal, sys
from dolmino_cli.tokens import parts
from dolmino_cli.tokens.retokenize import retokenize

publish = parts._Part.publish

def publish_or_die(part):
    if part._name == sys.argv[4]:
        os.kill(os.getpid(), signal.SIGKILL)
    return publish(part)

parts._Part.publish = publish_or_die
retokenize([sys.argv[1]], tokenizer=sys.argv[2], output=sys.argv[3], tokens_per_file=3000)
"""
HANGING_RUN = """
import sys
from dolmino_cli.tokens import tasks
from dolmino_cli.tokens.retokenize import retokenize
from tests.tokens.test_killed import run_and_hang

if __name__ == "__main__":
    tasks.run = run_and_hang
    retokenize([sys.argv[1]], tokenizer=sys.argv[2], output=sys.argv[3], tokens_per_file=10**7, workers=2, engine="tokenizers")
"""


def python(script: str, *arguments: object, **more: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    return subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)], env=environment, stderr=subprocess.PIPE)


def test_killed_while_a_file_was_being_written(tmp_path: Path) -> None:
    shards, tokenizer = many_shards(tmp_path / "in"), byte_level(tmp_path / "tokenizer.json")
    arguments = {"tokenizer": str(tokenizer), "tokens_per_file": 3000}
    undisturbed = retokenize([str(shards)], output=str(tmp_path / "undisturbed"), **arguments)  # type: ignore[arg-type]
    middle = undisturbed.files[len(undisturbed.files) // 2].name
    process = python(KILLED_IN_THE_MIDDLE, shards, tokenizer, tmp_path / "out", middle)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert list((tmp_path / "out").glob(f".{middle}.*.partial")) and not (tmp_path / "out" / "arrays.json").exists()
    plan = plan_retokenize([str(shards)], output=str(tmp_path / "out"), **arguments)  # type: ignore[arg-type]
    assert 0 < len(plan.left) < len(plan.groups)
    retokenize([str(shards)], output=str(tmp_path / "out"), **arguments)  # type: ignore[arg-type]
    assert content(tmp_path / "out") == content(tmp_path / "undisturbed")


def test_a_worker_killed_in_the_middle(tmp_path: Path) -> None:
    shards, tokenizer = many_shards(tmp_path / "in", count=16, documents=400), byte_level(tmp_path / "tokenizer.json")
    (tmp_path / "hangs").mkdir()
    process = python(HANGING_RUN, shards, tokenizer, tmp_path / "out", HANGS=str(tmp_path / "hangs"))
    wait_until(lambda: list((tmp_path / "hangs").glob("once/*")))
    (worker,) = [int(path.name) for path in (tmp_path / "hangs/once").iterdir()]
    os.kill(worker, signal.SIGKILL)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 0, error  # another worker took its place
    assert (tmp_path / "out" / "arrays.json").exists() and not (tmp_path / "out" / ".scratch").exists()
    arguments = {"tokenizer": str(tokenizer), "tokens_per_file": 10**7}
    retokenize([str(shards)], output=str(tmp_path / "out"), **arguments)  # type: ignore[arg-type]
    retokenize([str(shards)], output=str(tmp_path / "undisturbed"), **arguments)  # type: ignore[arg-type]
    shutil.rmtree(tmp_path / "out" / "logs")  # of the task that the killed worker had
    assert _without_engine(content(tmp_path / "out")) == _without_engine(content(tmp_path / "undisturbed"))


def run_and_hang(task: tasks.Task) -> tasks.Outcome:
    """`tasks.run`, in a worker that may be the one that hangs."""
    tasks._documents = documents_or_hang
    return RUN(task)


def documents_or_hang(*given: Any) -> Iterator[Encoded]:
    """Those of a shard; one worker, once, gives some of them and no more."""
    once = Path(os.environ["HANGS"], "once")
    for encoded in DOCUMENTS(*given):
        yield encoded
        with suppress(FileExistsError):
            once.mkdir()
            (once / str(os.getpid())).touch()
            time.sleep(600)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_killed_while_it_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    shards, tokenizer = many_shards(tmp_path / "in"), byte_level(tmp_path / "tokenizer.json")
    arguments = {"tokenizer": str(tokenizer), "tokens_per_file": 10**7}
    monkeypatch.setattr("dolmino_cli.tokens.tasks.pack", pack_or_die)
    monkeypatch.setenv("PACK_OR_DIE", f"{moment} {tmp_path / 'died'}")
    retokenize([str(shards)], output=str(tmp_path / "out"), workers=3, **arguments)  # type: ignore[arg-type]
    monkeypatch.undo()
    assert (tmp_path / "died").exists()
    retokenize([str(shards)], output=str(tmp_path / "undisturbed"), **arguments)  # type: ignore[arg-type]
    shutil.rmtree(tmp_path / "out" / "logs")
    assert content(tmp_path / "out") == content(tmp_path / "undisturbed")


def pack_or_die(task: tasks.Packing) -> LedgerEntry:
    """`tasks.pack`, in a worker that is killed before or after it, the first time."""
    moment, died = os.environ["PACK_OR_DIE"].split(" ", 1)
    entry = PACK(task) if moment == "after" or Path(died).exists() else None
    if not Path(died).exists():
        Path(died).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    assert entry is not None
    return entry


def _without_engine(files: dict[str, bytes]) -> dict[str, bytes]:
    """The first run asked for the slow engine; that alone may differ."""
    lines = files["arrays.json"].splitlines()
    return {**files, "arrays.json": b"\n".join(line for line in lines if b'"engine"' not in line)}
