"""Labelled documents become lines: each text once, on one side, and no record is lost."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.shards.listing import list_shards
from dolmino_cli.sources.classifier.labelled import Counts, LabelledShard, Labels, Line, labelled_lines, training_line
from tests.pipeline.make import write_shard
from tests.sources.classifier.make import two_kinds

YES = Labels(field="label", positive=("math", "1", "true"))


def read(shards: list[LabelledShard], labels: Labels | None = None, **more: Any) -> tuple[list[Line], Counts]:
    counts, options = Counts(), {"newlines": "dclm", "held_out_percent": 25.0, "seed": 1, "on_error": "fail"} | more
    return list(labelled_lines(shards, labels, counts, **options)), counts  # type: ignore[arg-type]


def shard_of(path: Path, *records: object) -> LabelledShard:
    lines = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
    return LabelledShard(shard=list_shards([str(write_shard(path, lines))])[0], label=None)


def test_labels_are_read_from_rows_documents_and_metadata(tmp_path: Path) -> None:
    shard = shard_of(
        tmp_path / "a.jsonl.zst",
        {"text": "a row", "label": "math"},
        {"text": "a number", "label": 1},
        {"text": "a boolean", "label": True},
        {"id": "d", "text": "a document", "label": "web"},
        {"id": "e", "text": "in metadata", "metadata": {"label": "math"}},
    )
    lines, counts = read([shard], YES)
    assert {line.text: line.positive for line in lines} == (
        {"a row": True, "a number": True, "a boolean": True, "a document": False, "in metadata": True}
    )
    assert counts.records == 5


def test_parquet_labels_are_read_as_well(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": ["one", "two"], "label": [1, 0]}), tmp_path / "a.parquet")
    shard = LabelledShard(shard=list_shards([str(tmp_path / "a.parquet")])[0], label=None)
    lines, _ = read([shard], Labels(field="label", positive=("1",)))
    assert {line.text: line.positive for line in lines} == {"one": True, "two": False}


def test_every_record_is_counted_once_by_what_became_of_it(tmp_path: Path) -> None:
    labels = Labels(field="label", positive=("math",), negative=("web",))
    shard = shard_of(
        tmp_path / "a.jsonl.zst",
        {"text": "one", "label": "math"},
        {"text": " one\n", "label": "math"},
        {"text": "one", "label": "web"},
        {"text": " \n ", "label": "web"},
        {"text": "two", "label": "poem"},
        {"text": "three"},
        b"{",
        {"text": "four", "label": "web"},
    )
    lines, counts = read([shard], labels, on_error="quarantine")
    assert [(line.text, line.positive) for line in lines] == [("one", True), ("four", False)]
    expected = {"records": 8, "repeated": 1, "contradicting": 1, "empty": 1, "unlabelled": 2, "unreadable": 1}
    assert asdict(counts) == {**expected, "used": counts.used}
    assert sum(counts.used.values()) == 2


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({"text": "x"}, r"a\.jsonl\.zst:2: document '\w+': it has no label at 'label'; label it, or"),
        ({"text": "x", "label": "poem"}, r"it has the label 'poem', which is not one of math, web; label it, or"),
        ({"text": 7, "label": "math"}, r"a\.jsonl\.zst:2: "),
    ],
)
def test_what_has_no_known_label_stops_at_its_line(tmp_path: Path, record: dict[str, Any], problem: str) -> None:
    shard = shard_of(tmp_path / "a.jsonl.zst", {"text": "one", "label": "math"}, record)
    with pytest.raises(DataError, match=problem):
        read([shard], Labels(field="label", positive=("math",), negative=("web",)))


def test_the_held_out_texts_depend_on_seed_and_text_alone(tmp_path: Path) -> None:
    shards = two_kinds(tmp_path)
    lines, counts = read(shards)
    held = {line.text for line in lines if line.held_out}
    assert 35 < len(held) < 85, "a quarter of 240, about"
    assert counts.used["held-out positive"] + counts.used["held-out negative"] == len(held)
    again, _ = read(shards[::-1])
    assert {line.text for line in again if line.held_out} == held
    assert {line.text: line.place for line in again} == {line.text: line.place for line in lines}
    other, _ = read(shards, seed=2)
    assert {line.text for line in other if line.held_out} != held
    more, _ = read(shards, held_out_percent=50.0)
    assert held < {line.text for line in more if line.held_out}, "a larger share holds the smaller"


def test_words_that_look_like_labels_are_not_trained_as_labels() -> None:
    text = "__label__negative prove __label__x this__label__ \t__label__y"
    line = Line(text=text, positive=True, held_out=False, place=0)
    assert training_line(line) == b"__label__positive  prove  this__label__ \t\n"


@pytest.mark.parametrize("labels", [Labels(field="label", positive=("yes", "Yes")), Labels(field="label", positive=("Yes",))])
def test_a_label_that_no_document_has_is_refused_with_those_that_are_there(tmp_path: Path, labels: Labels) -> None:
    shard = shard_of(tmp_path / "a.jsonl.zst", {"text": "one", "label": "yes"}, {"text": "two", "label": False})
    with pytest.raises(ConfigError, match=r"^no document has the label 'Yes' at 'label'; labels there: 'yes', 'false'$"):
        read([shard], labels)


def test_metadata_of_plain_text_has_no_label(tmp_path: Path) -> None:
    records = {"text": "one", "label": "math"}, {"id": "d", "text": "two", "metadata": "a note"}
    _, counts = read(
        [shard_of(tmp_path / "a.jsonl.zst", *records)], Labels(field="label", positive=("math",)), on_error="quarantine"
    )
    assert counts.unlabelled == 1


def test_labels_must_say_which_are_positive_and_not_contradict() -> None:
    with pytest.raises(ConfigError, match="no positive label: say which values of 'label'"):
        Labels(field="label", positive=())
    with pytest.raises(ConfigError, match="the labels web are both positive and negative"):
        Labels(field="label", positive=("web",), negative=("web",))
