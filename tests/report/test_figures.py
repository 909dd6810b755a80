"""What is found in folders, and what became of every document: exact, and refused where it does not add up."""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dolmino_cli.errors import ConfigError, DataError, StorageError
from dolmino_cli.report.figures.example_texts import TEXT_CHARACTERS, Example
from dolmino_cli.report.figures.gathered import RunReport, gather
from dolmino_cli.report.figures.overlaps import TaskHits
from tests.report.make import documents, make_mix, run_filter, write_run, write_summary

TWO_BOUNDS = """
name: two
stages:
  - length: {unit: characters, into: characters}
  - keep: {score: characters, at_least: 3, at_most: 7, reason: length, expect: {percent: 50, within: 1}}
"""


def only(folder: Path, examples: int = 3) -> RunReport:
    (report,) = gather([str(folder)], examples=examples).runs
    return report


def test_runs_and_mixes_are_found_below_and_one_lock_is_one_mix(tmp_path: Path) -> None:
    write_run(tmp_path / "all" / "b", {"x": [1.0]}, name="second")
    write_run(tmp_path / "all" / "deep" / "a", {"x": [1.0]}, name="third")
    mix = make_mix(tmp_path / "all")
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "small.lock.json").write_bytes((mix / "small.lock.json").read_bytes())
    report = gather([str(tmp_path / "locks"), str(tmp_path / "all")], examples=1)
    assert [run.figures.label for run in report.runs] == ["b", "deep/a"]
    (found,) = report.mixes
    assert found.labels == ("locks", "mix")
    assert len(found.lengths) == 3  # found where the arrays are, though another folder with the lock came first


def test_a_lock_file_is_a_mix_of_its_own(tmp_path: Path) -> None:
    lock = make_mix(tmp_path) / "small.lock.json"
    assert [mix.name for mix in gather([str(lock)], examples=0).mixes] == ["small"]


def test_a_folder_with_nothing_to_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"neither a run \(run.json\) nor a mix"):
        gather([str(tmp_path)], examples=1)


@pytest.mark.parametrize("content", ["{", "[]", '{"dolmino_run": 9}', '{"dolmino_run": 1, "complete": true}'])
def test_a_damaged_summary_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(DataError, match=re.escape(f"{tmp_path}/run.json")):
        gather([str(tmp_path)], examples=1)


def test_the_waterfall_of_a_run(tmp_path: Path) -> None:
    run_filter(tmp_path, {"a.jsonl": documents(1, 2, 3, 4), "b.jsonl": documents(7, 8, 9, 5)}, TWO_BOUNDS)
    figures = only(tmp_path / "out").figures
    (step,) = figures.steps
    assert (figures.records_in, figures.kept, figures.dropped, figures.quarantined, figures.shards) == (8, 4, 4, 0, 2)
    assert (figures.text_in_bytes, figures.text_kept_bytes, step.bytes_dropped) == (39, 19, 20)
    assert (step.reason, step.rule, step.retention_percent) == ("length", "characters >= 3 and <= 7", 50.0)
    assert step.is_as_expected is True


def test_retention_outside_the_band_is_not_as_expected(tmp_path: Path) -> None:
    run_filter(tmp_path, {"a.jsonl": documents(1, 2, 3)}, TWO_BOUNDS)
    assert only(tmp_path / "out").figures.steps[0].is_as_expected is False


def test_a_published_share_of_all_is_compared_with_all(tmp_path: Path) -> None:
    keep = {"score": "x", "at_least": 1, "reason": "second", "expect": {"percent": 40, "within": 1, "of": "all"}}
    steps = [
        {"reason": "first", "documents_in": 10, "documents_dropped": 5, "bytes_dropped": 0},
        {"reason": "second", "documents_in": 5, "documents_dropped": 1, "bytes_dropped": 0},
    ]
    counts = {"in": 12, "kept": 4, "quarantined": 2, "dropped": {"first": 5, "second": 1}, "steps": steps}
    write_summary(tmp_path, name="all", stages=[{"keep": keep}], counts=counts)
    first, second = only(tmp_path).figures.steps
    assert (first.retention_percent, second.retention_percent, second.is_as_expected) == (50.0, 40.0, True)


def test_counts_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    counts = {"in": 10, "kept": 6, "quarantined": 1, "dropped": {"short": 2}, "steps": []}
    write_summary(tmp_path, name="lost", stages=[], counts=counts)
    with pytest.raises(DataError, match=r"run.json: in 10 != kept 6 \+ dropped 2 \+ quarantined 1"):
        gather([str(tmp_path)], examples=1)


def test_an_unfinished_filter_is_shown_as_far_as_it_is(tmp_path: Path) -> None:
    run_filter(tmp_path, {"a.jsonl": documents(1, 5), "b.jsonl": documents(5, 5, 2)})
    summary = json.loads((tmp_path / "out" / "run.json").read_text())
    summary |= {"complete": False, "counts": {}, "bytes": {}}
    (tmp_path / "out" / "run.json").write_text(json.dumps(summary))
    (tmp_path / "out" / "ledger" / "b.jsonl.json").unlink()
    figures = only(tmp_path / "out").figures
    assert (figures.complete, figures.records_in, figures.kept, figures.text_in_bytes) == (False, 2, 1, 6)
    assert figures.steps[0].retention_percent == 50.0


def test_another_unfinished_run_is_refused(tmp_path: Path) -> None:
    summary = {"dolmino_run": 1, "complete": False, "recipe": {"name": "generate arithmetic"}, "counts": {}}
    (tmp_path / "run.json").write_text(json.dumps(summary))
    with pytest.raises(ConfigError, match="unfinished run"):
        gather([str(tmp_path)], examples=1)


def test_attributes_of_other_rows_than_the_ledger_counts_are_refused(tmp_path: Path) -> None:
    run_filter(tmp_path, {"a.jsonl": documents(1, 5), "b.jsonl": documents(5, 5, 2)})
    (tmp_path / "out" / "attributes" / "b.parquet").unlink()
    with pytest.raises(DataError, match=r"2 rows for 5 documents; b.parquet and 0 more are missing"):
        gather([str(tmp_path / "out")], examples=1)


def test_damaged_attributes_are_named(tmp_path: Path) -> None:
    run_filter(tmp_path, {"a.jsonl": documents(1, 5)})
    path = tmp_path / "out" / "attributes" / "a.parquet"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match=r"a.parquet: damaged"):
        gather([str(tmp_path / "out")], examples=1)


def test_attributes_that_the_disk_does_not_give_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    run_filter(tmp_path, {"a.jsonl": documents(1, 5)})
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", refuse)
    with pytest.raises(StorageError, match=r"^cannot read .*/attributes/a\.parquet: Input/output error$"):
        gather([str(tmp_path / "out")], examples=1)


def test_a_run_without_attributes_has_its_waterfall_all_the_same(tmp_path: Path) -> None:
    run_filter(tmp_path, {"a.jsonl": documents(1, 5)})
    (tmp_path / "out" / "attributes" / "a.parquet").unlink()
    report = only(tmp_path / "out")
    assert (report.figures.kept, report.has_attributes, report.histograms, report.examples) == (1, False, (), ())


def example(id: str, score: float, became: str, text: str | None, is_cut: bool = False) -> Example:
    return Example(id=id, score=score, became=became, text=text, is_cut=is_cut)


def test_examples_have_their_texts_from_documents_and_rejects(tmp_path: Path) -> None:
    shards = {"a.jsonl": documents(1, 9, 2, 3), "b.jsonl": documents(2, 350, 2, 4, prefix="e")}
    run_filter(tmp_path, shards, rejects=True)
    (examples,) = only(tmp_path / "out").examples
    assert examples.dropped == (
        example("d2", 2.0, "dropped: characters", "2x"),
        example("e0", 2.0, "dropped: characters", "0x"),
        example("e2", 2.0, "dropped: characters", "2x"),
    )
    assert examples.kept == (
        example("d3", 3.0, "kept", "3xx"),
        example("e3", 4.0, "kept", "3xxx"),
        example("d1", 9.0, "kept", "1xxxxxxxx"),
    )
    (more,) = only(tmp_path / "out", examples=4).examples
    assert more.kept[3] == example("e1", 350.0, "kept", ("1" + "x" * 349)[:TEXT_CHARACTERS], is_cut=True)


def test_examples_are_the_same_however_attributes_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = [1 + (7 * number) % 9 for number in range(40)]
    run_filter(tmp_path, {"a.jsonl": documents(*lengths), "b.jsonl": documents(*lengths, prefix="e")}, rejects=True)
    whole = only(tmp_path / "out", examples=12)
    monkeypatch.setattr("dolmino_cli.report.figures.attributes._BATCH_ROWS", 3)
    pieces = only(tmp_path / "out", examples=12)
    assert [(one.kept, one.dropped) for one in pieces.examples] == [(one.kept, one.dropped) for one in whole.examples]
    assert pieces.histograms[0].kept.tolist() == whole.histograms[0].kept.tolist()


def test_without_rejects_dropped_examples_have_no_text(tmp_path: Path) -> None:
    run_filter(tmp_path, {"a.jsonl": documents(1, 9, 2, 3)})
    (examples,) = only(tmp_path / "out", examples=1).examples
    assert (examples.kept[0].text, examples.dropped[0].text, examples.lacks_texts) == ("3xx", None, True)


def test_documents_that_are_not_the_attributes_are_refused(tmp_path: Path) -> None:
    run_filter(tmp_path, {"a.jsonl": documents(1, 9, 2, 3)}, format="plain")
    path = tmp_path / "out" / "documents" / "a.jsonl"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    with pytest.raises(DataError, match=r"a.jsonl: document 2 is not 'd3'"):
        gather([str(tmp_path / "out")], examples=1)


def test_a_scored_run_decides_nothing(tmp_path: Path) -> None:
    run_filter(tmp_path, {"a.jsonl": documents(1, 9)}, decide=False)
    report = only(tmp_path / "out")
    assert (report.figures.decided, report.figures.kept, report.histograms[0].total) == (False, 2, 2)
    assert [one.became for examples in report.examples for one in (*examples.kept, *examples.dropped)] == ["", ""]


def test_overlaps_are_counted_by_task_and_instance(tmp_path: Path) -> None:
    found = [("arc", "test", "7"), ("arc", "test", "7"), ("boolq", "dev", "1"), ("arc", "test", "2"), None]
    evidence = pa.array([None if one is None else dict(zip(("task", "split", "instance"), one, strict=True)) for one in found])
    table = {
        "id": [f"d{number}" for number in range(5)],
        "line": [1, 2, 3, 4, 5],
        "share": [0.5, 0.4, 0.3, 0.2, 0.0],
        "share_evidence": evidence,
        "kept": [False, False, False, False, True],
        "reason": ["overlap"] * 4 + [None],
    }
    (tmp_path / "attributes").mkdir()
    pq.write_table(pa.table(table), tmp_path / "attributes" / "s.parquet", row_group_size=2)
    stages = [{"ngram_overlap": {"into": "share"}}, {"keep": {"score": "share", "below": 0.1, "reason": "overlap"}}]
    counts = {"in": 5, "kept": 1, "quarantined": 0, "dropped": {"overlap": 4}, "steps": []}
    write_summary(tmp_path, name="flan", stages=stages, counts=counts)
    report = only(tmp_path)
    assert report.overlap_reasons == ("overlap",)
    assert report.overlaps == (
        TaskHits(task="arc", documents=3, instances=2, named_most=(("7 (test)", 2), ("2 (test)", 1))),
        TaskHits(task="boolq", documents=1, instances=1, named_most=(("1 (dev)", 1),)),
    )


def test_a_recipe_with_a_repetition_rule_says_which_reasons_are_its(tmp_path: Path) -> None:
    stages = [{"repeated_ngrams": {"into": "r"}}, {"keep": {"score": "r", "below": 32, "reason": "repeats"}}]
    counts = {"in": 0, "kept": 0, "quarantined": 0, "dropped": {"repeats": 0}, "steps": []}
    write_summary(tmp_path, name="empty", stages=stages, counts=counts)
    report = only(tmp_path)
    assert (report.repetition_reasons, report.figures.kept_percent) == (("repeats",), None)
