"""A run that was killed with SIGKILL and started again gives what an undisturbed run gives."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dolmino_cli.shards.ledger import LedgerEntry
from dolmino_cli.tokens import tasks
from dolmino_cli.tokens.retokenize import plan_retokenize, retokenize
from tests.tokenizer.make import byte_level
from tests.tokens.make import content, many_shards

PACK = tasks.pack
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
SLOW_RUN = """
import sys
from dolmino_cli.tokens.retokenize import retokenize

if __name__ == "__main__":
    retokenize([sys.argv[1]], tokenizer=sys.argv[2], output=sys.argv[3], tokens_per_file=10**7, workers=2, engine="tokenizers")
"""


def python(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
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


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the worker processes in /proc")
def test_a_worker_killed_in_the_middle(tmp_path: Path) -> None:
    shards, tokenizer = many_shards(tmp_path / "in", count=16, documents=400), byte_level(tmp_path / "tokenizer.json")
    process = python(SLOW_RUN, shards, tokenizer, tmp_path / "out")
    scratch, deadline = tmp_path / "out" / ".scratch", time.monotonic() + 60
    while not list(scratch.rglob("*.rows")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    workers = grandchildren(process.pid)
    assert workers, "the run ended before a worker could be killed"
    os.kill(workers[-1], signal.SIGKILL)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 0, error  # another worker took its place
    assert (tmp_path / "out" / "arrays.json").exists() and not scratch.exists()
    arguments = {"tokenizer": str(tokenizer), "tokens_per_file": 10**7}
    retokenize([str(shards)], output=str(tmp_path / "out"), **arguments)  # type: ignore[arg-type]
    retokenize([str(shards)], output=str(tmp_path / "undisturbed"), **arguments)  # type: ignore[arg-type]
    shutil.rmtree(tmp_path / "out" / "logs")  # of the task that the killed worker had
    assert _without_engine(content(tmp_path / "out")) == _without_engine(content(tmp_path / "undisturbed"))


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


def grandchildren(pid: int) -> list[int]:
    """Processes started by the fork server of `pid`."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    children = {child for child, parent in parents.items() if parent == pid}
    return sorted(child for child, parent in parents.items() if parent in children)
