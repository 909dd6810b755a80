"""Real FLAN documents against all evaluation sets of the sample data: what is found, what is not, what is flagged by mistake.

What a document carries is found here by other means, those of the sample data's own notes: words are `[a-z0-9]+` in lower case;
80 % of the 8-grams of a question (5 to 7 words: the whole), or half of the 13-grams of a passage.
"""

from __future__ import annotations

import gzip
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import zstandard

from dolmino_cli.sources.evaluation_index import IndexOptions, build_index
from dolmino_cli.sources.evaluation_sets import EvaluationSet
from dolmino_cli.sources.planted import flag, measure_recall, missed
from dolmino_cli.stages.ngram_index import NgramIndex, Words
from tests.filters.make import run_recipe
from tests.sources.make import Naive, make_index

pytestmark = pytest.mark.slow
PAGE = Path(__file__).resolve().parents[2] / "docs" / "decontamination.md"

# Built from an evaluation set, so that a document may carry an item: metadata.task without its number.
BUILT_FROM = (
    "winogrande piqa disflqa xquad freebase boolq asdiv swag scitail1.1 cot_gsm8k cot_strategyqa cot_creak naturalquestion "
    "qasc hybridqa"
).split()


def build(shared_data: Path, folder: Path, words: Words) -> NgramIndex:
    evaluation = EvaluationSet(
        path=str(shared_data / "evals" / "normalized"),
        fields=("text", "question"),
        task_field="task",
        split_field="split",
        id="id",
    )
    return build_index([evaluation], str(folder / f"{words}.index"), IndexOptions(words=words))


@pytest.fixture(scope="module")
def as_written(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> NgramIndex:
    return build(shared_data, tmp_path_factory.mktemp("index"), "as_written")


@pytest.fixture(scope="module")
def normalised(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> NgramIndex:
    return build(shared_data, tmp_path_factory.mktemp("index"), "normalised")


@pytest.fixture(scope="module")
def documents(shared_data: Path) -> list[dict[str, Any]]:
    found = []
    for path in sorted((shared_data / "flan").glob("*.jsonl.zst")):
        stream = zstandard.ZstdDecompressor().stream_reader(path.open("rb"))
        found += [json.loads(line) for line in io.BufferedReader(stream)]
    return found


def windows(words: list[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + length]) for at in range(len(words) - length + 1)]


def simple(text: str) -> list[str]:
    return re.findall("[a-z0-9]+", text.lower())


def items(shared_data: Path) -> Iterator[tuple[str, set[tuple[str, ...]], float]]:
    """Per question and passage: suite, n-grams, the share of them that counts."""
    for path in sorted((shared_data / "evals" / "normalized").glob("*.jsonl.gz")):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            item = json.loads(line)
            question, passage = simple(item["question"]), simple(item.get("context") or "")
            if len(question) >= 5:
                yield item["task"], set(windows(question, min(8, len(question)))), 0.8
            if len(passage) >= 13:
                yield item["task"], set(windows(passage, 13)), 0.5


@pytest.fixture(scope="module")
def carried(shared_data: Path, documents: list[dict[str, Any]]) -> list[set[str]]:
    """Per document the suites that it carries an item of."""
    known = list(items(shared_data))
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, (_, grams, _) in enumerate(known):
        for gram in grams:
            holders[gram].append(number)
    result = []
    for document in documents:
        words = simple(document["text"])
        grams = {gram for length in (5, 6, 7, 8, 13) for gram in windows(words, length)}
        counts = Counter(number for gram in grams for number in holders.get(gram, ()))
        result.append({known[number][0] for number, count in counts.items() if count >= known[number][2] * len(known[number][1])})
    return result


def test_known_tasks_are_found_and_clean_ones_left(
    as_written: NgramIndex, normalised: NgramIndex, documents: list[dict[str, Any]], carried: list[set[str]]
) -> None:
    """The page docs/decontamination.md shows these figures; they are made here."""
    page = PAGE.read_text()
    text = pa.array([document["text"] for document in documents], pa.large_string())
    found = [flag(index, text) for index in (as_written, normalised)]
    columns = [flags[rule] for flags in found for rule in ("paper", "ai2", "default")]
    names = [str(document["metadata"]["task"]) for document in documents]
    assert sum(map(bool, carried)) == 1587  # as the sample data's own notes count
    counted = Counter(name for name, suites in zip(names, carried, strict=True) if suites)
    assert len(counted) == 13
    rows = {
        name: [i for i, suites in enumerate(carried) if suites and names[i] == name]
        for name, count in counted.items()
        if count > 1
    }
    rows |= {"all tasks": [i for i, suites in enumerate(carried) if suites]}
    rows |= {
        "clean tasks": [i for i, name in enumerate(names) if not carried[i] and not any(part in name for part in BUILT_FROM)]
    }
    for name, mine in rows.items():
        row = f"| {name} | {len(mine):,} | {' | '.join(f'{column[mine].sum():,}' for column in columns)} |"
        assert row in page, row


def test_recall_of_verbatim_instances_is_whole(as_written: NgramIndex) -> None:
    assert missed(list(measure_recall(as_written, per_length=50))) == 0


def test_shares_of_real_documents_are_those_of_plain_sets(
    shared_data: Path, documents: list[dict[str, Any]], tmp_path: Path
) -> None:
    texts = []
    for name in ("piqa", "squad", "asdiv", "nq_open"):
        lines = gzip.decompress((shared_data / "evals" / "normalized" / f"{name}.jsonl.gz").read_bytes()).split(b"\n")[:250]
        texts += [json.loads(line)["text"] for line in lines]
    index = make_index(tmp_path, {"some": texts})
    naive = Naive({number: text for number, text in enumerate(texts) if not index.is_too_short(number)}, n=8)
    chosen = [document["text"] for document in documents[::25]] + [
        document["text"] for document in documents if "xquad" in document["metadata"]["task"]
    ][::4]
    shares, _ = index.overlap(pa.array(chosen, pa.large_string()), stride=1)
    assert [tuple(row) for row in shares.tolist()] == [naive.shares(text) for text in chosen]
    assert (shares > 0).any(axis=0).all()


def test_the_recipe_drops_what_the_rules_flag(
    shared_data: Path, as_written: NgramIndex, documents: list[dict[str, Any]], tmp_path: Path
) -> None:
    inputs = sorted((shared_data / "flan").glob("*.jsonl.zst"))
    text = pa.array([document["text"] for document in documents], pa.large_string())
    flags = flag(as_written, text)
    for profile, rule, scores in (("paper", "default", ["eval_overlap", "eval_instance"]), ("ai2", "ai2", ["eval_overlap"])):
        overrides = [f"{score}.index={as_written.path}" for score in scores]
        ran = run_recipe("flan", profile, inputs, tmp_path / profile, overrides)
        assert {name for name, reason in ran.reasons.items() if reason} == (
            {document["id"] for document, flagged in zip(documents, flags[rule], strict=True) if flagged}
        )
