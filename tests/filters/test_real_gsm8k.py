"""All of GSM8K and what was derived from it through the recipe `gsm8k`: what each guard refuses, alone and in its turn."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import zstandard

from dolmino_cli.kernels.keyed_hash import derive_key
from dolmino_cli.sources.evaluation_index import IndexOptions, build_index
from dolmino_cli.sources.evaluation_sets import EvaluationSet
from tests.filters.make import Ran, document, run_recipe
from tests.pipeline.make import write_shard

SOURCES_PAGE = Path(__file__).resolve().parents[2] / "docs" / "sources.md"
REASONS = ("not_train", "test_id", "test_text", "test_overlap")
# Train problems that are a test question with other names and numbers, read one by one; the test question's place.
DUPLICATES = {
    "gsm8k-main-train-20": 632,  # stamps of three designs
    "gsm8k-main-train-1314": 602,  # miles at the same rate
    "gsm8k-main-train-3726": 824,  # packages of cat and dog food
    "gsm8k-main-train-5162": 602,
}


def rows(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        raw: Any = zstandard.ZstdDecompressor().stream_reader(file) if path.suffix == ".zst" else gzip.GzipFile(fileobj=file)
        return [json.loads(line) for line in io.BufferedReader(raw).read().split(b"\n") if line]


def renumbered(text: str) -> str:
    """Every number in digits replaced by one of 2 to 998 that its place and the text decide."""
    return re.sub(r"\d+", lambda found: str(2 + derive_key(text, found.start())[0] * 997 // 256), text)


def made(name: str, texts: list[str]) -> Callable[[Path], Path]:
    lines = [document(f"{name}-{number}", text) for number, text in enumerate(texts)]
    return lambda folder: write_shard(folder / "in" / f"{name}.jsonl.zst", lines)


def questions(data: Path) -> list[str]:
    return [row["question"] for row in rows(data / "evals/raw/gsm8k/test.jsonl.zst")]


INPUTS: dict[str, Callable[[Path, Path], Path]] = {
    "train split, marked": lambda data, _: data / "gsm8k/gsm8k_train.docs.jsonl.gz",
    "test split, marked": lambda data, _: data / "gsm8k/gsm8k_test.docs.jsonl.gz",
    "train split, the publisher's rows": lambda data, _: data / "evals/raw/gsm8k/train.jsonl.zst",
    "test split, the publisher's rows": lambda data, _: data / "evals/raw/gsm8k/test.jsonl.zst",
    "socratic test split, the publisher's rows": lambda data, _: data / "evals/raw/gsm8k/test_socratic.jsonl.zst",
    "train, test and socratic test, unmarked": lambda data, _: data / "gsm8k/gsm8k_mixed_unlabelled.docs.jsonl.gz",
    "GSM-Hard, with programs that quote the question": lambda data, _: data / "math/gsm_hard.docs.jsonl.zst",
    "GSM-Hard, questions only": lambda data, folder: made(
        "hard", [row["text"].partition("\ndef solution")[0] for row in rows(data / "math/gsm_hard.docs.jsonl.zst")]
    )(folder),
    "ASDiv, another suite": lambda data, _: data / "evals/normalized/asdiv.jsonl.gz",
    "test questions, every number replaced": lambda data, folder: made("new", [renumbered(q) for q in questions(data)])(folder),
    "test questions, lower case": lambda data, folder: made("low", [q.lower() for q in questions(data)])(folder),
}


@pytest.fixture(scope="module")
def overrides(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The index of the test questions, and of the test documents with the ids that they have."""
    sets = [
        EvaluationSet(path=str(shared_data / "evals/raw/gsm8k/test.jsonl.zst"), fields=("question",), task="gsm8k"),
        EvaluationSet(path=str(shared_data / "gsm8k/gsm8k_test.docs.jsonl.gz"), fields=("text",), id="id", task="gsm8k"),
    ]
    output = tmp_path_factory.mktemp("index") / "gsm8k-test.index"
    build_index(sets, str(output), IndexOptions(n=4, words="normalised"))
    return [f"{score}.index={output}" for score in REASONS[1:]]


def alone(ran: Ran) -> Counter[str]:
    """How many documents each guard would refuse if it were the only one."""
    found: Counter[str] = Counter()
    for path in (ran.output / "attributes").rglob("*.parquet"):
        table = pq.read_table(path, columns=["is_train", "test_id", "test_text", "test_overlap"])
        for row in table.to_pylist():
            found["not_train"] += row["is_train"] == 0
            found["test_id"] += row["test_id"]
            found["test_text"] += row["test_text"]
            found["test_overlap"] += row["test_overlap"] >= 0.4
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", INPUTS)
def test_the_figures_of_the_docs(tmp_path: Path, shared_data: Path, overrides: list[str], name: str) -> None:
    ran = run_recipe("gsm8k", None, [INPUTS[name](shared_data, tmp_path)], tmp_path / "out", overrides, measure_dropped=True)
    by_itself = alone(ran)
    cells = [f"{ran.counts['dropped'][reason]:,} ({by_itself[reason]:,})" for reason in REASONS]
    row = f"| {name} | {ran.counts['in']:,} | {' | '.join(cells)} | {ran.counts['kept']:,} |"
    assert row in SOURCES_PAGE.read_text(), row


@pytest.mark.slow
def test_of_the_unmarked_mix_every_test_document_goes_and_of_train_only_duplicates(
    tmp_path: Path, shared_data: Path, overrides: list[str]
) -> None:
    mixed = shared_data / "gsm8k/gsm8k_mixed_unlabelled.docs.jsonl.gz"
    ran = run_recipe("gsm8k", None, [mixed], tmp_path / "out", overrides)
    train = {row["text"]: row["id"] for row in rows(shared_data / "gsm8k/gsm8k_train.docs.jsonl.gz")}
    of_train = {row["id"]: train[row["text"]] for row in rows(mixed) if row["text"] in train}
    of_test = set(ran.reasons) - set(of_train)
    assert (len(of_train), len(of_test)) == (7473, 2 * 1319)
    assert all(ran.reasons[name] is not None for name in of_test)
    assert {of_train[name] for name in of_train if ran.reasons[name]} == set(DUPLICATES)


@pytest.mark.slow
def test_the_train_problems_that_go_are_each_a_test_question_with_other_numbers(
    tmp_path: Path, shared_data: Path, overrides: list[str]
) -> None:
    ran = run_recipe("gsm8k", None, [shared_data / "gsm8k/gsm8k_train.docs.jsonl.gz"], tmp_path / "out", overrides)
    found = {}
    for path in (ran.output / "attributes").rglob("*.parquet"):
        for row in pq.read_table(path, columns=["id", "reason", "test_overlap_evidence"]).to_pylist():
            if row["reason"]:
                found[row["id"]] = row["test_overlap_evidence"]["instance"]
    assert found == {name: f"test.jsonl.zst:{number + 1}" for name, number in DUPLICATES.items()}
