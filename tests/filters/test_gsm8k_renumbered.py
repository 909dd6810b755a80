"""Recipe gsm8k-renumbered: a publisher's rows, and all of GSM8K's train split, where every figure is derived again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.filters.make import run_recipe
from tests.filters.test_real_sources import documents
from tests.filters.test_sources import SOURCES_PAGE
from tests.pipeline.make import read_lines, write_shard
from tests.stages.renumber_oracle import faults, numbers
from tests.stages.renumber_problems import MARKET

TRAIN = "gsm8k/gsm8k_train.docs.jsonl.gz"
# Train problems that an earlier version made false: by number of the problem, a number of the question that must stay.
STAY = {
    3705: "five girls", 4958: "20 bouquets", 4447: "30 are multiple", 6676: "Three of", 81: "four rounds", 4211: "five baskets",
    7179: "Three baskets", 6024: "four people", 2305: "into 2 parts", 2409: "8 weekend days", 4254: "temperature of 95",
    2302: "in 2001", 6804: "triangle is 50", 1851: "produces 3",
}  # fmt: skip
# The same, where amounts must add up: the places of the whole and of its parts among the question's numbers.
ADD_UP = {4958: (1, (2, 3)), 4682: (0, (1, 3, 5, 7)), 5294: (0, (1, 2, 3))}
MARKS = (1809, 2789, 5216, 5768)  # numbers that are 100 at most


def kept_documents(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted((output / "documents").rglob("*.zst")) for line in read_lines(path)]


def test_rows_of_question_and_answer_become_other_problems(tmp_path: Path) -> None:
    question, _, answer = MARKET.partition("\n")
    shard = write_shard(tmp_path / "train.jsonl.zst", [json.dumps({"question": question, "answer": answer}).encode()])
    ran = run_recipe("gsm8k-renumbered", None, [shard], tmp_path / "out")
    other = run_recipe("gsm8k-renumbered", None, [shard], tmp_path / "other", ["renumber.seed=2"])
    (first,), (second,) = kept_documents(ran.output), kept_documents(other.output)
    assert first["text"] != second["text"] and first["id"] != second["id"]
    assert faults(MARKET, first["text"]) == faults(MARKET, second["text"]) == []
    assert first["metadata"]["renumbered"]["seed"] == 1 and first["metadata"]["question"] == question


@pytest.mark.slow
def test_every_answer_made_of_the_train_split_is_right(tmp_path: Path, shared_data: Path) -> None:
    ran = run_recipe("gsm8k-renumbered", None, [shared_data / TRAIN], tmp_path / "out")
    originals = dict(documents(shared_data / TRAIN))
    made = kept_documents(ran.output)
    assert len(made) == ran.counts["kept"] and len(originals) == ran.counts["in"] == 7473
    moved = asked = 0
    for document in made:
        old, new = originals[document["metadata"]["renumbered"]["of"]], document["text"]
        assert faults(old, new) == [], document["id"]
        pairs = zip(numbers(old.partition("\n")[0]), numbers(new.partition("\n")[0]), strict=True)
        changed = [before != after for before, after in pairs if before not in (0, 1)]
        moved, asked = moved + sum(changed), asked + len(changed)
    made_of = {int(document["metadata"]["renumbered"]["of"].rpartition("-")[2]): document["text"] for document in made}
    asked_of = {number: text.partition("\n")[0] for number, text in made_of.items()}
    assert [number for number, stays in STAY.items() if stays not in asked_of.get(number, stays)] == []
    for number, (whole, parts) in ADD_UP.items():
        if (question := asked_of.get(number)) is not None:
            assert numbers(question)[whole] == sum(numbers(question)[part] for part in parts), question
    for number in MARKS:
        question, _, answer = made_of.get(number, "").partition("\n")
        assert all(mark <= 100 for mark in (*numbers(question), *numbers(answer)[-1:])), question
    assert ran.counts["kept"] >= 0.6 * ran.counts["in"]
    page = SOURCES_PAGE.read_text()
    assert f"{100 * moved / asked:.0f} % of the questions' numbers" in page
    for reason, count in {**ran.counts["dropped"], "kept": ran.counts["kept"]}.items():
        assert f"| {reason} | {count:,} |" in page, "the docs have the figures"
