"""The recipe `gsm8k`: no problem of the test split gets through, by what it says, by its id, as it is, or with other numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dolmino_cli.sources.evaluation_index import IndexOptions, build_index
from dolmino_cli.sources.evaluation_sets import EvaluationSet
from tests.filters.make import document, run_recipe
from tests.pipeline.make import read_lines, write_shard

TEST = "Ann has 3 red pears and buys 4 green ones at the market. How many pears does Ann have now?"
TRAIN = "A cat sleeps 14 hours of every day in summer. For how many hours is it awake in a week?"
MAIN, SOCRATIC = "\nShe has 3 + 4 = <<3+4=7>>7.\n#### 7", "\nHow many pears are there? ** 3 + 4 = <<3+4=7>>7\n#### 7"

DOCUMENTS = {
    "train": (document("train", TRAIN + MAIN, split="train"), None),
    "train-socratic": (document("train-socratic", TRAIN + SOCRATIC, split="train"), None),
    "unmarked": (document("unmarked", TRAIN + MAIN), None),
    "marked": (document("marked", "1 + 1 = 2", split="test"), "not_train"),
    "test-1": (document("test-1", "The problem, said in words of our own."), "test_id"),
    "main": (document("main", TEST + MAIN), "test_text"),
    "socratic": (document("socratic", TEST.replace(" ", "  ") + SOCRATIC), "test_text"),
    "mislabelled": (document("mislabelled", TEST + MAIN, split="train"), "test_text"),
    "renumbered": (document("renumbered", TEST.replace("3", "8,123") + MAIN), "test_overlap"),
    "lower case": (document("lower case", TEST.lower() + MAIN), "test_overlap"),
}


@pytest.fixture
def overrides(tmp_path: Path) -> list[str]:
    """The index of one test question, known by its id."""
    (tmp_path / "items.jsonl").write_text(json.dumps({"id": "test-1", "question": TEST}) + "\n")
    evaluation = EvaluationSet(path=str(tmp_path / "items.jsonl"), fields=("question",), id="id", task="gsm8k", split="test")
    index = build_index([evaluation], str(tmp_path / "t.index"), IndexOptions(n=4, words="normalised")).path
    return [f"{score}.index={index}" for score in ("test_id", "test_text", "test_overlap")]


def test_every_guard_refuses_what_it_is_for(tmp_path: Path, overrides: list[str]) -> None:
    shard = write_shard(tmp_path / "in/a.jsonl.zst", [line for line, _ in DOCUMENTS.values()])
    ran = run_recipe("gsm8k", None, [shard], tmp_path / "out", overrides)
    assert ran.reasons == {name: reason for name, (_, reason) in DOCUMENTS.items()}
    assert ran.counts["dropped"] == {"not_train": 1, "test_id": 1, "test_text": 3, "test_overlap": 2}


def test_the_publishers_rows_are_read_in_both_forms(tmp_path: Path, overrides: list[str]) -> None:
    rows = [
        json.dumps({"question": question, "answer": answer.strip()}).encode()
        for question in (TRAIN, TEST)
        for answer in (MAIN, SOCRATIC)
    ]
    ran = run_recipe("gsm8k", None, [write_shard(tmp_path / "in/a.jsonl.zst", rows)], tmp_path / "out", overrides)
    assert list(ran.reasons.values()) == [None, None, "test_text", "test_text"]
    texts = [json.loads(line)["text"] for line in read_lines(tmp_path / "out/documents/a.jsonl.zst")]
    assert texts == [TRAIN + MAIN, TRAIN + SOCRATIC]
