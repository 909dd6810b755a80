"""Arithmetic is the same from any executor, and from several processes that decide each for itself what is left to make."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from dolmino_cli.executors.executor import Executor
from dolmino_cli.executors.local import Local
from dolmino_cli.sources.arithmetic.generate import Plan, execute, finish, generate, plan_generate
from tests.executors.hostile import Hostile, OneOfSeveral
from tests.executors.shares import at_once
from tests.pipeline.make import read_json, tree
from tests.tokenizer.make import CL100K, byte_level


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(byte_level(tmp_path_factory.mktemp("tokenizer") / "tokenizer.json", pattern=CL100K))


def plan(output: Path, tokenizer: str, *, guess: float | None = None) -> Plan:
    found = plan_generate(output=str(output), tokenizer=tokenizer, seed=42, tokens=20_000, documents_per_shard=128)
    found.tokens_per_document = guess
    return found


def run(output: Path, tokenizer: str, executor: Executor, *, guess: float | None = None) -> dict[str, object]:
    made = plan(output, tokenizer, guess=guess)
    for _ in execute(made, executor):
        pass
    return finish(made)


@pytest.mark.parametrize("guess", [None, 15.0], ids=["a good guess", "too many shards at first"])
@pytest.mark.parametrize("executor", [Local(workers=2), Hostile(seed=1)], ids=["two", "hostile"])
def test_any_executor_gives_the_same(tmp_path: Path, tokenizer: str, executor: Executor, guess: float | None) -> None:
    counts = generate(output=str(tmp_path / "one"), tokenizer=tokenizer, seed=42, tokens=20_000, documents_per_shard=128)
    assert run(tmp_path / "out", tokenizer, executor, guess=guess) == counts
    assert tree(tmp_path / "out") == tree(tmp_path / "one")


@pytest.mark.parametrize("guess", [None, 15.0], ids=["a good guess", "too many shards at first"])
def test_several_processes_make_the_same_together(tmp_path: Path, tokenizer: str, guess: float | None) -> None:
    counts = run(tmp_path / "one", tokenizer, Local())
    assert (
        at_once(*(partial(one_of_several, tmp_path / "together", tokenizer, guess, number) for number in range(3)))
        == [counts] * 3
    )
    assert tree(tmp_path / "together") == tree(tmp_path / "one")
    assert read_json(tmp_path / "together/run.json") == read_json(tmp_path / "one/run.json")


def one_of_several(output: Path, tokenizer: str, guess: float | None, number: int) -> dict[str, object]:
    return run(output, tokenizer, OneOfSeveral(output=str(output), seed=number), guess=guess)


def test_a_process_that_comes_late_decides_as_the_first(tmp_path: Path, tokenizer: str) -> None:
    """With some shards there it would guess better, and so cut another shard than the one that the first is to cut."""
    early = plan(tmp_path / "out", tokenizer, guess=15.0)
    wanted = [(task.number, task.tokens_left) for task in early.next_tasks()]
    entries = execute(early, Local())
    next(entries), next(entries)
    late = plan(tmp_path / "out", tokenizer, guess=15.0)
    assert sorted(late.shards) == [0, 1]
    assert [(task.number, task.tokens_left) for task in late.next_tasks()] == wanted[2:]
    entries.close()  # type: ignore[attr-defined]
