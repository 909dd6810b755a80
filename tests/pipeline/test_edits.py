"""Recipes with a stage that writes documents anew: nothing lost, reasons named, later stages see the new text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dolmino_cli.documents import Batch
from dolmino_cli.errors import ConfigError
from dolmino_cli.executors.local import Local
from dolmino_cli.pipeline.dry_run import predict
from dolmino_cli.pipeline.run import execute, finish, plan_run
from dolmino_cli.pipeline.shard_task import Options
from dolmino_cli.recipe import Recipe
from dolmino_cli.report.recipe_text import recipe_lines
from dolmino_cli.report.waterfall import waterfall_table
from dolmino_cli.shards.listing import list_shards
from dolmino_cli.stages import STAGES
from dolmino_cli.stages.stage import Edited
from tests.pipeline.make import line, read_json, read_lines, read_rows, recipe, tree, write_shard


@dataclass(frozen=True, kw_only=True)
class Double:
    """Every text twice; one of 4 characters is unlucky, one of 6 is too long."""

    between: str = "-"

    @property
    def reasons(self) -> tuple[str, ...]:
        return ("unlucky", "too_long")

    def prepare(self) -> dict[str, str]:
        return {"doubler": "1"}

    def edit(self, batch: Batch) -> Edited:
        texts = batch.text.to_pylist()
        dropped = np.array([0 if len(text) == 4 else 1 if len(text) == 6 else -1 for text in texts], np.int32)
        return Edited(
            id=pa.array([f"{id}-twice" for id in batch.id.to_pylist()], pa.large_string()),
            text=pa.array([text + self.between + text for text in texts], pa.large_string()),
            metadata=[{"doubled": len(text)} if len(text) != 5 else None for text in texts],
            dropped=dropped,
        )


RECIPE = """
name: doubled
rows: [{text: [question]}]
stages:
  - length: {unit: characters, into: before}
  - keep: {score: before, at_least: 2, reason: short}
  - double: {}
  - length: {unit: characters, into: after}
  - keep: {score: after, at_most: 15, reason: long}
"""


@pytest.fixture
def doubling(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Recipe:
    monkeypatch.setitem(STAGES, "double", Double)
    return recipe(tmp_path, RECIPE)


def run(recipe: Recipe, inputs: Path, output: Path, **options: object) -> None:
    planned = plan_run(recipe, list_shards([str(inputs)]), str(output), Options(**options))  # type: ignore[arg-type]
    for _ in execute(planned, Local()):
        pass
    finish(planned)


def shards(folder: Path) -> Path:
    write_shard(folder / "a.jsonl.zst", [line(number, number, 1) for number in range(1, 10)])
    write_shard(folder / "b.jsonl.zst", [b'{"question": "seven.."}', b'{"id": "odd", "text": "odd", "metadata": [1]}'])
    return folder


def test_every_document_is_accounted_for_and_later_stages_see_the_new_text(tmp_path: Path, doubling: Recipe) -> None:
    run(doubling, shards(tmp_path / "in"), tmp_path / "out", rejects=True)
    rows = read_rows(tmp_path / "out/attributes/a.parquet")
    assert [(row["id"], row["before"], row["after"], row["reason"]) for row in rows] == [
        ("d1", 1, None, "short"),
        ("d2", 2, 5, None),
        ("d3", 3, 7, None),
        ("d4", 4, None, "unlucky"),
        ("d5", 5, 11, None),
        ("d6", 6, None, "too_long"),
        ("d7", 7, 15, None),
        ("d8", 8, 17, "long"),
        ("d9", 9, 19, "long"),
    ]
    written = [json.loads(one) for one in read_lines(tmp_path / "out/documents/a.jsonl.zst")]
    assert [(one["id"], one["text"], one["metadata"]) for one in written[:3:2]] == [
        ("d2-twice", "xx-xx", {"votes": 1, "doubled": 2}),
        ("d5-twice", "xxxxx-xxxxx", {"votes": 1}),
    ]
    assert read_lines(tmp_path / "out/documents/a.jsonl.zst")[0].endswith(b'"other":[1.50, "\xc3\xa9\\u00e9"]}'), "bytes kept"
    assert read_lines(tmp_path / "out/rejects/a.jsonl.zst")[1] == line(4, 4, 1), "rejects are what came in"
    odd = [json.loads(one) for one in read_lines(tmp_path / "out/documents/b.jsonl.zst")]
    assert odd[0]["metadata"] == {"question": "seven..", "doubled": 7}
    assert odd[1]["metadata"] == {"metadata": [1], "doubled": 3}
    counts = read_json(tmp_path / "out/run.json")["counts"]
    assert counts["dropped"] == {"short": 1, "unlucky": 1, "too_long": 1, "long": 2}  # type: ignore[index]
    steps = [(step["reason"], step["documents_in"], step["documents_dropped"]) for step in counts["steps"]]  # type: ignore[index]
    assert steps == [("short", 11, 1), ("unlucky", 10, 1), ("too_long", 9, 1), ("long", 8, 2)]


def test_a_second_run_changes_nothing_and_a_finished_one_is_left_alone(tmp_path: Path, doubling: Recipe) -> None:
    run(doubling, shards(tmp_path / "in"), tmp_path / "one")
    run(doubling, tmp_path / "in", tmp_path / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert plan_run(doubling, list_shards([str(tmp_path / "in")]), str(tmp_path / "one"), Options()).tasks == []


def test_the_parameters_and_what_was_loaded_are_recorded_and_set(tmp_path: Path, doubling: Recipe) -> None:
    changed = recipe(tmp_path, RECIPE, "double.between=+")
    assert changed.edits == (Double(between="+"),)
    run(doubling, shards(tmp_path / "in"), tmp_path / "out")
    assert read_json(tmp_path / "out/run.json")["loaded"]["double"] == {"doubler": "1"}  # type: ignore[index]
    with pytest.raises(ConfigError, match="between"):
        plan_run(changed, list_shards([str(tmp_path / "in")]), str(tmp_path / "out"), Options())


def test_scores_of_an_earlier_run_serve_stages_on_either_side(tmp_path: Path, doubling: Recipe) -> None:
    run(doubling, shards(tmp_path / "in"), tmp_path / "out")
    run(doubling, tmp_path / "in", tmp_path / "again", scores=str(tmp_path / "out"))
    assert tree(tmp_path / "again") == tree(tmp_path / "out")


def test_parquet_documents_are_written_as_parquet(tmp_path: Path, doubling: Recipe) -> None:
    rows = [{"id": f"p{number}", "text": "y" * number, "stars": number} for number in range(2, 5)]
    (tmp_path / "in").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "in/p.parquet")
    run(doubling, tmp_path / "in", tmp_path / "out", rejects=True)
    written = read_rows(tmp_path / "out/documents/p.parquet")
    assert [(row["id"], row["text"], row["metadata"], row["extra"]) for row in written] == [
        ("p2-twice", "yy-yy", '{"doubled":2}', '{"stars":2}'),
        ("p3-twice", "yyy-yyy", '{"doubled":3}', '{"stars":3}'),
    ]
    assert read_rows(tmp_path / "out/rejects/p.parquet") == [rows[2]]


@pytest.mark.parametrize(
    ("options", "asked"), [({"decide": False}, "dolmino score"), ({"measure_dropped": True}, "--measure-dropped")]
)
def test_what_cannot_be_done_with_an_edit_is_refused(
    options: dict[str, bool], asked: str, tmp_path: Path, doubling: Recipe
) -> None:
    with pytest.raises(ConfigError, match=rf"{asked}.*writes documents anew \(double\)"):
        plan_run(doubling, list_shards([str(shards(tmp_path / "in"))]), str(tmp_path / "out"), Options(**options))  # type: ignore[arg-type]


def test_an_edit_stands_once_and_reasons_are_told_apart(tmp_path: Path, doubling: Recipe) -> None:
    with pytest.raises(ConfigError, match="double stands twice"):
        recipe(tmp_path, RECIPE + "  - double: {between: x}\n")
    with pytest.raises(ConfigError, match="two decisions drop with the reason 'unlucky'"):
        recipe(tmp_path, RECIPE.replace("reason: long", "reason: unlucky"))


def test_the_dry_run_the_waterfall_and_the_recipe_in_words_name_the_reasons(tmp_path: Path, doubling: Recipe) -> None:
    predicted = predict(doubling, list_shards([str(shards(tmp_path / "in"))]), Options(), workers=1)
    assert predicted.tally.dropped == {"short": 1, "unlucky": 1, "too_long": 1, "long": 2}
    assert "  dropped: unlucky (double)" in waterfall_table(doubling, predicted.tally).columns[0]._cells
    words = list(recipe_lines(doubling))
    assert "  rows:      text = question; id = a hash of the row" in words
    assert "  double: between -; else dropped as 'unlucky', 'too_long'" in words
