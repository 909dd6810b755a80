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
    assert ran.counts["kept"] >= 0.6 * ran.counts["in"]
    page = SOURCES_PAGE.read_text()
    assert f"{100 * moved / asked:.0f} % of the questions' numbers" in page
    for reason, count in {**ran.counts["dropped"], "kept": ran.counts["kept"]}.items():
        assert f"| {reason} | {count:,} |" in page, "the docs have the figures"
