"""Planning a rerun of many shards asks the store for each entry once, and for nothing twice: what takes the time at 100,000."""

from __future__ import annotations

import builtins
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.pipeline.run import finish, plan_run
from dolmino_cli.pipeline.shard_task import Options, run_shard
from dolmino_cli.pipeline.tally import StageTally
from dolmino_cli.shards import ledger
from dolmino_cli.shards.listing import list_shards
from tests.pipeline.make import line, recipe, write_shard

SHARDS = 200


def test_a_rerun_of_a_finished_run_looks_at_everything_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = recipe(tmp_path)
    for number in range(SHARDS):
        write_shard(tmp_path / f"in/{number:04d}.jsonl.zst", [line(1, 5, 7)])
    for task in plan_run(made, list_shards([str(tmp_path / "in")]), str(tmp_path / "out"), Options()).tasks:
        run_shard(task)
    calls: Counter[str] = Counter()

    def counted(name: str, function: Any) -> Any:
        def call(*given: Any, **named: Any) -> Any:
            calls[name] += str(tmp_path) in str(given[0]) or name not in ("open", "stat")
            return function(*given, **named)

        return call

    monkeypatch.setattr(builtins, "open", counted("open", builtins.open))
    monkeypatch.setattr(os, "stat", counted("stat", os.stat))
    monkeypatch.setattr(json, "loads", counted("json", json.loads))
    monkeypatch.setattr(StageTally, "of_entry", counted("tally", StageTally.of_entry))
    shards = list_shards([str(tmp_path / "in")])
    run = plan_run(made, shards, str(tmp_path / "out"), Options())
    assert len(run.finished) == SHARDS and run.tasks == []
    assert calls["open"] <= SHARDS + 10
    assert calls["stat"] <= 2 * SHARDS + 30  # of inputs and of entries
    assert calls["json"] <= SHARDS + 10  # of what an entry says of its input
    assert len({id(entry.recipe) for entry in run.finished.values()}) == 1
    finish(run)
    assert run.tally.documents_in == SHARDS and calls["tally"] == SHARDS


def test_entries_read_the_quick_way_are_those_read_the_careful_way(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    write_shard(tmp_path / "in/a.jsonl.zst", [line(1, 5, 7)])
    (task,) = plan_run(made, list_shards([str(tmp_path / "in")]), str(tmp_path / "out"), Options()).tasks
    entry = run_shard(task)
    path = tmp_path / "out/ledger/a.jsonl.zst.json"
    quick, careful = ledger._parse_whole(path.read_bytes()), ledger._parse_damaged(path.read_bytes(), str(path))
    assert quick == careful
    assert quick is not None and quick.counts == entry.counts and quick.outputs == entry.outputs
