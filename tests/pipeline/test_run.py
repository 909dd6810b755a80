"""A run loses nothing, resumes, refuses what changed, and gives the same bytes however it is cut."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from dolmino_cli.errors import ConfigError, DataError, RunFailed
from dolmino_cli.executors.local import Local
from dolmino_cli.pipeline import shard_task, sinks
from dolmino_cli.pipeline.run import Run, execute, finish, plan_run, unmet_expectations
from dolmino_cli.pipeline.shard_task import Options
from dolmino_cli.recipe import Recipe
from dolmino_cli.shards.listing import list_shards
from tests.pipeline.make import RECIPE, line, read_json, read_lines, read_rows, recipe, tree, write_shard

LINES = [line(1, 5, 7), line(2, 2, 9), line(3, 4, 1), line(4, 9, None)]


def run_all(recipe: Recipe, inputs: Path, output: Path, *, workers: int = 1, options: Options | None = None) -> Run:
    run = plan_run(recipe, list_shards([str(inputs)]), str(output), options or Options())
    for _ in execute(run, Local(workers=workers)):
        pass
    finish(run)
    return run


def test_every_document_is_kept_or_has_a_reason(tmp_path: Path) -> None:
    write_shard(tmp_path / "in/a.jsonl.zst", LINES)
    run = run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "out", options=Options(rejects=True))
    assert read_lines(tmp_path / "out/documents/a.jsonl.zst") == [LINES[0]]
    assert read_lines(tmp_path / "out/rejects/a.jsonl.zst") == LINES[1:]
    assert read_rows(tmp_path / "out/attributes/a.parquet") == [
        {"id": "d1", "line": 1, "characters": 5, "votes": 7.0, "kept": True, "reason": None},
        {"id": "d2", "line": 2, "characters": 2, "votes": None, "kept": False, "reason": "short"},
        {"id": "d3", "line": 3, "characters": 4, "votes": 1.0, "kept": False, "reason": "unpopular"},
        {"id": "d4", "line": 4, "characters": 9, "votes": None, "kept": False, "reason": "unpopular"},
    ]
    counts = read_json(tmp_path / "out/ledger/a.jsonl.zst.json")["counts"]
    assert isinstance(counts, dict)
    steps = counts.pop("steps")
    assert counts == {"in": 4, "kept": 1, "quarantined": 0, "dropped": {"short": 1, "unpopular": 2}}
    assert steps[1] == {
        "reason": "unpopular",
        "documents_in": 3,
        "bytes_in": 18,
        "documents_dropped": 2,
        "bytes_dropped": 13,
        "near": 0,
    }
    assert (run.tally.bytes_in, run.tally.bytes_kept) == (20, 5)
    assert read_json(tmp_path / "out/run.json")["complete"] is True


def test_dropped_documents_are_measured_when_asked(tmp_path: Path) -> None:
    write_shard(tmp_path / "in/a.jsonl.zst", LINES)
    run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "out", options=Options(measure_dropped=True))
    assert [row["votes"] for row in read_rows(tmp_path / "out/attributes/a.parquet")] == [7.0, 9.0, 1.0, None]


def test_an_empty_shard_gives_empty_outputs(tmp_path: Path) -> None:
    write_shard(tmp_path / "in/a.jsonl.zst", [])
    run = run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "out")
    assert read_lines(tmp_path / "out/documents/a.jsonl.zst") == []
    assert read_rows(tmp_path / "out/attributes/a.parquet") == []
    assert run.tally.retention_percent(0, "arriving") is None


def test_the_number_of_workers_changes_no_byte(tmp_path: Path) -> None:
    for shard in range(5):
        write_shard(tmp_path / f"in/sub/{shard}.jsonl.zst", [line(n, (n * 7 + shard) % 9 + 1, n % 4) for n in range(50)])
    run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "one")
    run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "three", workers=3)
    assert tree(tmp_path / "one") == tree(tmp_path / "three")
    assert len(tree(tmp_path / "one")) == 10


def test_finished_shards_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shard(tmp_path / "in/a.jsonl.zst", LINES)
    first = run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "out")
    write_shard(tmp_path / "in/b.jsonl.zst", LINES)
    done = []
    real = shard_task.run_shard
    monkeypatch.setattr("dolmino_cli.pipeline.run.run_shard", lambda task: (done.append(task.shard.name), real(task))[1])
    second = run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "out")
    assert done == ["b.jsonl.zst"]
    assert second.tally.documents_in == 2 * first.tally.documents_in


def test_another_recipe_is_refused_by_name(tmp_path: Path) -> None:
    write_shard(tmp_path / "in/a.jsonl.zst", LINES)
    run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "out")
    changed = recipe(tmp_path, RECIPE, "characters.at_least=4")
    with pytest.raises(ConfigError, match=r"at_least.*3(\.0)? -> 4(\.0)?.*use another --output"):
        run_all(changed, tmp_path / "in", tmp_path / "out")


def test_changed_and_vanished_inputs_are_refused_by_name(tmp_path: Path) -> None:
    write_shard(tmp_path / "in/a.jsonl.zst", LINES)
    write_shard(tmp_path / "in/b.jsonl.zst", LINES)
    run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "out")
    write_shard(tmp_path / "in/b.jsonl.zst", LINES[:1])
    with pytest.raises(ConfigError, match=r"'b\.jsonl\.zst' of another run: input.*bytes"):
        run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "out")
    (tmp_path / "in/b.jsonl.zst").unlink()
    with pytest.raises(ConfigError, match=r"results of 'b\.jsonl\.zst', which is not among the inputs now"):
        run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "out")


def test_two_shards_for_one_output_are_refused(tmp_path: Path) -> None:
    write_shard(tmp_path / "in/a.jsonl.zst", LINES)
    (tmp_path / "in/a.jsonl").write_bytes(LINES[0])
    with pytest.raises(ConfigError, match=r"a\.jsonl.* would both be written to attributes/a\.parquet"):
        run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_record_stops_its_shard_only(tmp_path: Path, workers: int) -> None:
    write_shard(tmp_path / "in/a.jsonl.zst", LINES)
    write_shard(tmp_path / "in/b.jsonl.zst", [LINES[0], b'{"id": "x"}', LINES[1]])
    write_shard(tmp_path / "in/c.jsonl.zst", LINES)
    with pytest.raises(DataError, match=r"b\.jsonl\.zst:2: no field `text`"):
        run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "out", workers=workers)
    written = ["attributes/a.parquet", "attributes/c.parquet", "documents/a.jsonl.zst", "documents/c.jsonl.zst"]
    assert sorted(tree(tmp_path / "out")) == written
    assert read_json(tmp_path / "out/run.json")["complete"] is False
    failure = read_json(tmp_path / "out/failures/b.jsonl.zst.json")
    reason = f"{tmp_path}/in/b.jsonl.zst:2: no field `text`"
    assert failure == failure | {"task": "b.jsonl.zst", "phase": "filter", "reason": failure["reason"], "tries": 1}
    assert str(failure["reason"]).startswith(reason)


def test_bad_records_are_quarantined_when_asked(tmp_path: Path) -> None:
    bad = [b"{", b'{"id": 3, "text": "x"}', b'{"id": "x", "text": "\xff"}']
    write_shard(tmp_path / "in/a.jsonl.zst", [LINES[0], *bad, LINES[1]])
    run = run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "out", options=Options(on_error="quarantine"))
    rows = read_rows(tmp_path / "out/quarantine/a.parquet")
    assert [(row["line"], row["record"]) for row in rows] == [(2, bad[0]), (3, bad[1]), (4, bad[2])]
    assert all(row["file"] == str(tmp_path / "in/a.jsonl.zst") and row["reason"] for row in rows)
    assert (run.tally.documents_in, run.tally.quarantined, run.tally.documents_kept) == (2, 3, 1)
    assert [row["line"] for row in read_rows(tmp_path / "out/attributes/a.parquet")] == [1, 5]


def test_several_failures_are_all_named(tmp_path: Path) -> None:
    for name in "ab":
        write_shard(tmp_path / f"in/{name}.jsonl.zst", [b"{"])
    with pytest.raises(RunFailed, match=r"(?s)2 of 2 shards failed.*a\.jsonl\.zst:1: .*b\.jsonl\.zst:1: "):
        run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "out")


def kill_itself_once(task: shard_task.ShardTask) -> object:
    """Stands in for run_shard in a worker: dies on shard 2 after writing half, unless it died before."""
    marker = Path(task.output).parent / "died"
    if task.shard.name.startswith("2") and not marker.exists():
        marker.touch()
        real_publish = sinks.Sinks.publish

        def die(self: object) -> object:
            os.kill(os.getpid(), signal.SIGKILL)
            return real_publish(self)  # type: ignore[arg-type]

        sinks.Sinks.publish = die  # type: ignore[method-assign, assignment]
    return shard_task.run_shard(task)


def test_a_worker_killed_mid_shard_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for shard in range(6):
        write_shard(tmp_path / f"in/{shard}.jsonl.zst", [line(n, (n * 7 + shard) % 9 + 1, n % 4) for n in range(200)])
    run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "whole")
    monkeypatch.setattr("dolmino_cli.pipeline.run.run_shard", kill_itself_once)
    run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "killed", workers=2)
    assert (tmp_path / "died").exists()
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")
    assert "workers that were killed at this task before: 1" in (tmp_path / "killed/logs/filter/2.jsonl.zst.log").read_text()


def test_retention_off_its_band_is_said(tmp_path: Path) -> None:
    write_shard(tmp_path / "in/a.jsonl.zst", [line(1, 1, 5), line(2, 5, 5)])
    run = run_all(recipe(tmp_path), tmp_path / "in", tmp_path / "out")
    assert unmet_expectations(run) == ["short keeps 50.0 % of documents, expected 75 ± 5 %"]


def test_json_and_parquet_give_the_same_decisions(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    write_shard(tmp_path / "json/a.jsonl.zst", LINES)
    rows = [
        {"id": f"d{n}", "text": "x" * c, "metadata": {"votes": v}} for n, c, v in [(1, 5, 7), (2, 2, 9), (3, 4, 1), (4, 9, None)]
    ]
    (tmp_path / "parquet").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "parquet/a.parquet")
    run_all(recipe(tmp_path), tmp_path / "json", tmp_path / "out-json")
    run_all(recipe(tmp_path), tmp_path / "parquet", tmp_path / "out-parquet")
    assert read_rows(tmp_path / "out-json/attributes/a.parquet") == read_rows(tmp_path / "out-parquet/attributes/a.parquet")
    assert read_rows(tmp_path / "out-parquet/documents/a.parquet") == rows[:1]
