"""Runs: the target met with its last document, the same bytes however they come about."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.executors.local import Local
from dolmino_cli.shards.output import Output
from dolmino_cli.sources.arithmetic.generate import execute, finish, generate, plan_generate
from dolmino_cli.tokens.retokenize import retokenize
from tests.pipeline.make import read_json, read_lines, tree
from tests.s3_server import S3Server
from tests.tokenizer.make import CL100K, byte_level


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(byte_level(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json", pattern=CL100K))


def lines(folder: Path) -> list[bytes]:
    return [line for path in sorted((folder / "documents").iterdir()) for line in read_lines(path)]


def made(folder: Path, tokenizer: str, **options: Any) -> dict[str, Any]:
    return generate(output=str(folder), tokenizer=tokenizer, **{"seed": 42, "documents_per_shard": 128, **options})


def test_the_last_document_reaches_the_target(tmp_path: Path, tokenizer: str) -> None:
    counts = made(tmp_path / "made", tokenizer, tokens=30_000)
    written = retokenize([str(tmp_path / "made/documents")], output=str(tmp_path / "arrays"), tokenizer=tokenizer)
    assert written.totals["tokens"] == counts["tokens"] >= 30_000
    assert written.totals["documents"] == counts["documents"] == len(lines(tmp_path / "made"))
    ids = np.concatenate([np.fromfile(path, np.uint16) for path in sorted((tmp_path / "arrays").glob("*.npy"))])
    ends = np.flatnonzero(ids == 0)
    assert ends[-2] + 1 < 30_000 <= ends[-1] + 1 == counts["tokens"]


def test_documents_and_their_account(tmp_path: Path, tokenizer: str) -> None:
    counts = made(tmp_path, tokenizer, documents=300)
    records = [json.loads(line) for line in lines(tmp_path)]
    assert [record["id"] for record in records] == [f"synthmath-arithmetic-42-{number}" for number in range(300)]
    assert {tuple(record) for record in records} == {("id", "text", "source", "metadata")}
    assert {tuple(record["metadata"]) for record in records} == {("operation", "template", "equations")}
    assert counts["equations"] == sum(len(record["metadata"]["equations"]) for record in records)
    assert sum(counts["operations"].values()) == sum(counts["wordings"].values()) == sum(counts["notations"].values()) == 300
    run = read_json(tmp_path / "run.json")
    assert (run["complete"], run["counts"]) == (True, counts)
    assert [file["documents"] for file in run["files"]] == [128, 128, 44]  # type: ignore[attr-defined]


def test_a_larger_target_begins_with_a_smaller_ones_documents(tmp_path: Path, tokenizer: str) -> None:
    made(tmp_path / "small", tokenizer, tokens=20_000)
    made(tmp_path / "large", tokenizer, tokens=40_000)
    made(tmp_path / "counted", tokenizer, documents=100)
    small, large, counted = (lines(tmp_path / name) for name in ("small", "large", "counted"))
    assert 128 < len(small) < len(large)
    assert large[: len(small)] == small and small[:100] == counted


def test_workers_change_nothing_and_seeds_do(tmp_path: Path, tokenizer: str) -> None:
    for name, options in {"one": {}, "two": {"workers": 2}, "other": {"seed": 43}}.items():
        made(tmp_path / name, tokenizer, tokens=60_000, **options)
    assert len(tree(tmp_path / "one")) > 8
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert not set(lines(tmp_path / "other")) & set(lines(tmp_path / "one"))


def test_output_on_s3_has_the_same_files(tmp_path: Path, tokenizer: str, s3: S3Server) -> None:
    made(tmp_path / "local", tokenizer, tokens=20_000)
    for _ in range(2):  # the second finds all done
        generate(output=s3.uri("arithmetic"), tokenizer=tokenizer, seed=42, documents_per_shard=128, tokens=20_000)
    assert tree(s3.file("arithmetic")) == tree(tmp_path / "local")


def test_a_guess_too_low_is_put_right(tmp_path: Path, tokenizer: str) -> None:
    made(tmp_path / "right", tokenizer, tokens=20_000)
    plan = plan_generate(output=str(tmp_path / "guessed"), tokenizer=tokenizer, seed=42, tokens=20_000, documents_per_shard=128)
    plan.tokens_per_document = 5.0
    assert len(plan.next_tasks()) > 2 * len(lines(tmp_path / "right")) / 128
    for _ in execute(plan, Local()):
        pass
    finish(plan)
    assert tree(tmp_path / "guessed") == tree(tmp_path / "right")
    assert read_json(tmp_path / "guessed/run.json")["counts"] == read_json(tmp_path / "right/run.json")["counts"]
    assert len(list((tmp_path / "guessed/ledger").iterdir())) == len(list((tmp_path / "right/ledger").iterdir()))


def test_a_run_that_was_stopped_goes_on(tmp_path: Path, tokenizer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path / "whole", tokenizer, tokens=40_000)
    created = Output.create

    def failing(self: Output, name: str) -> Any:
        if name.endswith(("00001.jsonl.zst", "00003.jsonl.zst")):
            raise StorageError(f"cannot write {name}: the disk is full")
        return created(self, name)

    monkeypatch.setattr(Output, "create", failing)
    with pytest.raises(Exception, match="the disk is full"):
        made(tmp_path / "stopped", tokenizer, tokens=40_000)
    assert read_json(tmp_path / "stopped/run.json")["complete"] is False
    monkeypatch.setattr(Output, "create", created)
    kept = (tmp_path / "stopped/documents/part-00000.jsonl.zst").stat().st_mtime_ns
    made(tmp_path / "stopped", tokenizer, tokens=40_000)
    assert (tmp_path / "stopped/documents/part-00000.jsonl.zst").stat().st_mtime_ns == kept
    assert tree(tmp_path / "stopped") == tree(tmp_path / "whole")
    assert read_json(tmp_path / "stopped/run.json")["complete"] is True


KILLED = """
import os, signal, sys
from dolmino_cli.sources.arithmetic import tasks
from dolmino_cli.sources.arithmetic.generate import generate

made = tasks.made

def made_or_die(job, first, count):
    yield next(made(job, first, 40))
    if first == 3 * 128:
        os.kill(os.getpid(), signal.SIGKILL)
    yield from list(made(job, first + 40, count - 40))

tasks.made = made_or_die
generate(output=sys.argv[1], tokenizer=sys.argv[2], seed=42, documents=1000, documents_per_shard=128)
"""


def test_a_killed_run_goes_on(tmp_path: Path, tokenizer: str) -> None:
    made(tmp_path / "whole", tokenizer, documents=1000)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), tokenizer]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    left, *whole = sorted(path.name for path in (tmp_path / "killed/documents").iterdir())
    assert left.startswith(".part-00003.jsonl.zst.") and left.endswith(".partial")
    assert whole == [f"part-0000{number}.jsonl.zst" for number in range(3)]
    made(tmp_path / "killed", tokenizer, documents=1000)
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 7}, "recipe.seed: 42 -> 7"),
        ({"tokens": 9000}, "recipe.tokens: 8000 -> 9000"),
        ({"tokens": None, "documents": 5}, "recipe.documents: null -> 5"),
    ],
)
def test_another_run_is_refused(tmp_path: Path, tokenizer: str, changed: dict[str, Any], named: str) -> None:
    made(tmp_path, tokenizer, tokens=8000)
    before = tree(tmp_path)
    with pytest.raises(ConfigError, match=named):
        made(tmp_path, tokenizer, **{"tokens": 8000, **changed})
    assert tree(tmp_path) == before


@pytest.mark.parametrize("options", [{}, {"tokens": 5, "documents": 5}, {"tokens": 0}, {"documents": -1}])
def test_one_target_is_needed(tmp_path: Path, tokenizer: str, options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="give"):
        made(tmp_path, tokenizer, **options)
