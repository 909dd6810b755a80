"""Shares of a run help each other with a shard of many parts, and give what one process gives."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

from dolmino_cli.errors import LeftToOthers
from dolmino_cli.executors.executor import Executor
from dolmino_cli.executors.local import Local
from dolmino_cli.executors.shared import Shared
from dolmino_cli.pipeline.run import execute, finish, plan_run
from dolmino_cli.pipeline.task import Options
from dolmino_cli.recipe import Recipe
from dolmino_cli.shards.listing import list_shards
from dolmino_cli.shards.output import Output
from tests.executors.shares import at_once
from tests.pipeline.make import line, read_json, recipe, tree, write_shard


def run_all(recipe: Recipe, inputs: Path, output: Path, executor: Executor) -> int:
    """How many shards the process knew the entries of at its end."""
    run = plan_run(recipe, list_shards([str(inputs)]), str(output), Options(part_bytes=100_000))
    for _ in execute(run, executor):
        pass
    finish(run)
    return len(run.finished)  # with those that others had finished before this one planned


def test_shares_help_each_other_with_a_large_shard(tmp_path: Path) -> None:
    drawn = random.Random(9)
    lines = [line(number, drawn.randrange(1, 9), drawn.randrange(4)) for number in range(20_000)]
    (tmp_path / "in").mkdir()
    (tmp_path / "in/large.jsonl").write_bytes(b"".join(one + b"\n" for one in lines))
    write_shard(tmp_path / "in/small.jsonl.zst", lines[:100])
    small = recipe(tmp_path)
    assert run_all(small, tmp_path / "in", tmp_path / "one", Local()) == 2
    out = tmp_path / "out"
    shares = [Shared(index=index, of=3, output=Output(str(out)), poll_seconds=0.05) for index in range(3)]
    ends = at_once(*(partial(run_all, small, tmp_path / "in", out, share) for share in shares))
    assert all(one == 2 or isinstance(one, LeftToOthers) for one in ends), ends
    assert 2 in ends
    assert tree(out) == tree(tmp_path / "one")
    assert read_json(out / "run.json")["counts"] == read_json(tmp_path / "one/run.json")["counts"]
    assert not [path for path in (out / "leases").rglob("*") if path.is_file()]
