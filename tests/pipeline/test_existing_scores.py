"""Decisions from scores of an earlier run: the same as measuring, and strict about alignment."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.pipeline.shard_task import Options
from tests.pipeline.make import RECIPE, line, read_rows, recipe, tree, write_shard
from tests.pipeline.test_run import run_all

LINES = [line(n, n % 9 + 1, n % 4) for n in range(40)]


def score(tmp_path: Path) -> Path:
    write_shard(tmp_path / "in/a.jsonl.zst", LINES)
    run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "scored", options=Options(decide=False))
    return tmp_path / "scored"


def test_score_writes_every_score_and_no_decision(tmp_path: Path) -> None:
    scored = score(tmp_path)
    assert sorted(tree(scored)) == ["attributes/a.parquet"]
    assert read_rows(scored / "attributes/a.parquet")[1] == {"id": "d1", "line": 2, "characters": 2, "votes": 1.0}


def test_deciding_from_scores_equals_measuring(tmp_path: Path) -> None:
    scored = score(tmp_path)
    run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "measured", options=Options(measure_dropped=True))
    run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "decided", options=Options(scores=str(scored)))
    assert tree(tmp_path / "measured") == tree(tmp_path / "decided")


def test_the_bound_may_move_but_not_the_measure(tmp_path: Path) -> None:
    scored = score(tmp_path)
    moved = recipe(tmp_path, RECIPE, "characters.at_least=8")
    run = run_all(moved, tmp_path / "in", tmp_path / "moved", options=Options(scores=str(scored)))
    assert run.tally.dropped["short"] == sum(n % 9 + 1 < 8 for n in range(40))
    other = recipe(tmp_path, RECIPE, "characters.unit=bytes")
    with pytest.raises(ConfigError, match=r"'characters' was measured otherwise \(unit was 'characters', is 'bytes'\)"):
        run_all(other, tmp_path / "in", tmp_path / "other", options=Options(scores=str(scored)))


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    score(tmp_path)
    with pytest.raises(ConfigError, match=r"no run\.json there"):
        run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "out", options=Options(scores=str(tmp_path / "in")))


@pytest.mark.parametrize(
    ("keep_rows", "message"),
    [
        (slice(0, 30), r"30 rows, but .*a\.jsonl\.zst has more documents"),
        (slice(0, 0), r"0 rows, but .*a\.jsonl\.zst has more documents"),
        (slice(1, 40), r"39 rows, but|row 1 is of document 'd1', but line 1 of .* is 'd0'"),
    ],
)
def test_short_attributes_fail(tmp_path: Path, keep_rows: slice, message: str) -> None:
    path = score(tmp_path) / "attributes/a.parquet"
    table = pq.read_table(path)
    pq.write_table(table.slice(keep_rows.start, keep_rows.stop - keep_rows.start), path)
    with pytest.raises(DataError, match=message):
        run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "out", options=Options(scores=str(tmp_path / "scored")))
    assert tree(tmp_path / "out") == {}


def test_shifted_ids_fail(tmp_path: Path) -> None:
    path = score(tmp_path) / "attributes/a.parquet"
    table = pq.read_table(path)
    pq.write_table(table.take([1, 0, *range(2, 40)]), path)
    with pytest.raises(DataError, match=r"row 1 is of document 'd1', but line 1 of .*a\.jsonl\.zst is 'd0'"):
        run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "out", options=Options(scores=str(tmp_path / "scored")))


def test_left_over_rows_fail(tmp_path: Path) -> None:
    scored = score(tmp_path)
    write_shard(tmp_path / "in/a.jsonl.zst", LINES[:-3])
    with pytest.raises(DataError, match=r"3 more rows than .*a\.jsonl\.zst has documents"):
        run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "out", options=Options(scores=str(scored)))
