"""Runs and mixes to report on: small, made by the pipeline itself or, where a test needs scores of its choice, written here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dolmino_cli.executors.local import Local
from dolmino_cli.mix.sampling.sample import sample
from dolmino_cli.pipeline.run import Run, execute, finish, plan_run
from dolmino_cli.pipeline.shard_task import Options
from dolmino_cli.recipe import load_recipe
from dolmino_cli.shards.listing import list_shards
from tests.mix.make import documents_of, write_arrays

LENGTHS = "name: lengths\nstages:\n  - length: {unit: characters, into: characters}\n  - keep: {score: characters, at_least: 3}\n"


def run_filter(folder: Path, shards: Mapping[str, Sequence[Mapping[str, Any]]], recipe: str = LENGTHS, **options: Any) -> Run:
    """Filter documents, by shard, with `recipe` into folder/out."""
    for name, documents in shards.items():
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    (folder / "recipe.yaml").write_text(recipe)
    run = plan_run(
        load_recipe(folder / "recipe.yaml"), list_shards([str(folder / "in")]), str(folder / "out"), Options(**options)
    )
    list(execute(run, Local()))
    finish(run)
    return run


def documents(*lengths: int, prefix: str = "d") -> list[dict[str, str]]:
    """Documents d0, d1, ... of so many characters; each text begins with its number."""
    return [{"id": f"{prefix}{number}", "text": f"{number}{'x' * 400}"[:length]} for number, length in enumerate(lengths)]


def write_run(
    folder: Path,
    scores: Mapping[str, Sequence[float | None] | pa.Array],
    *keeps: Mapping[str, Any],
    name: str = "by-hand",
    ids: Sequence[str] | None = None,
) -> Path:
    """A run folder of one shard with these scores and decisions, without documents; nothing is dropped by its counts."""
    columns = {
        score: values if isinstance(values, pa.Array) else pa.array(values, pa.float64()) for score, values in scores.items()
    }
    rows = len(next(iter(columns.values())))
    table = {
        "id": pa.array(ids or [f"d{number}" for number in range(rows)], pa.large_string()),
        "line": pa.array(range(1, rows + 1), pa.int64()),
        **columns,
        "kept": pa.array([True] * rows, pa.bool_()),
        "reason": pa.nulls(rows, pa.string()),
    }
    (folder / "attributes").mkdir(parents=True)
    pq.write_table(pa.table(table), folder / "attributes" / "s.parquet", row_group_size=7)
    stages = [{"keep": {"reason": keep["score"], "expect": None, **keep}} for keep in keeps]
    write_summary(
        folder, name=name, stages=stages, counts={"in": rows, "kept": rows, "quarantined": 0, "dropped": {}, "steps": []}
    )
    return folder


def write_summary(folder: Path, *, name: str, stages: Sequence[Any], counts: Mapping[str, Any], **more: Any) -> None:
    """run.json as `filter` writes it."""
    summary = {
        "dolmino_run": 1,
        "dolmino": "0",
        "complete": True,
        "source": "made up",
        "recipe": {"name": name, "stages": list(stages)},
        "recipe_sha256": "ab" * 32,
        "options": {"decide": True},
        "shards": 1,
        "input_bytes": 1000,
        "counts": counts,
        "bytes": {},
        **more,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(summary))


def make_mix(folder: Path) -> Path:
    """A mix of web, math/a and math/b in windows of 16 tokens, in folder/mix; published Mix % of web and both parts of math."""
    shapes = {"web": [10] * 30, "math/a": [4, 8, 16], "math/b": [5] * 8}
    for source, lengths in shapes.items():
        write_arrays(folder / "tokens" / source, documents_of(*lengths, prefix=source[-1]))
    manifest = folder / "small.yaml"
    manifest.write_text(
        "name: small\ntokenizer: tiny\nseed: 42\nsources:\n  web: {source_percent: 50}\n  math/a: {source_percent: 200}\n"
        "  math/b: {source_percent: 100}\nexpect: {mix_percent: {web: 60, math/a: 22.5, math/b: 17.5}}\n"
    )
    sample(manifest, output=str(folder / "mix"), arrays_root=str(folder / "tokens"), sequence_length=16)
    return folder / "mix"
