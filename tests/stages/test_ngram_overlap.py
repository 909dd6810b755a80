"""`ngram_overlap`: the published rules, ours, and what each of them passes over."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest

from dolmino_cli.errors import ConfigError
from dolmino_cli.stages.ngram_index import load_index
from dolmino_cli.stages.ngram_overlap import RULES, NgramOverlap
from tests.sources.make import Naive, make_index
from tests.stages.conftest import MakeBatch, batch_of

# 10 words: 3 n-grams of 8 words.
QUESTION = "Why do cats purr when somebody strokes their soft fur"
TWO_LINES = "one two three four five\nsix seven eight nine ten eleven"


def scores(folder: Path, rule: str, *texts: str, **options: object) -> list[float]:
    found: list[float] = NgramOverlap(index=str(folder / "evals.index"), rule=rule, into="o", **options)(
        batch_of(*texts)
    ).to_pylist()  # type: ignore[arg-type]
    return found


def others(count: int) -> str:
    return " ".join(f"other{number}" for number in range(count))


@pytest.fixture
def cats(tmp_path: Path) -> Path:
    make_index(tmp_path, {"cats": [QUESTION, TWO_LINES, "Who wrote Hamlet?", "No idea"]})
    return tmp_path


def test_paper_is_the_share_of_the_document_in_one_instance(cats: Path) -> None:
    # 10 + 20 words have 23 n-grams, 3 of them the question's; 10 + 21 have 24; a tenth of 30 is 3.
    assert scores(cats, "paper", QUESTION, f"{QUESTION} {others(20)}", f"{QUESTION} {others(27)}", others(9), "") == (
        [1.0, 3 / 23, 0.1, 0.0, 0.0]
    )


def test_paper_counts_instances_one_by_one_and_ai2_their_union(tmp_path: Path) -> None:
    make_index(tmp_path, {"a": [f"{others(8)} x"], "b": [f"y {others(9)}"]})
    text = others(9)  # two n-grams: one in both instances, one in the second only; with an end of neither
    assert scores(tmp_path, "paper", text, f"{text} z") == [1.0, 2 / 3]
    make_index(tmp_path, {"a": [others(8)], "b": [" ".join(others(9).split()[1:])]})
    load_index.cache_clear()
    assert scores(tmp_path, "paper", text) == [0.5]
    assert scores(tmp_path, "ai2", text) == [1.0]


def test_ai2_looks_at_lines_and_passes_over_short_ones(cats: Path) -> None:
    split = QUESTION.replace("when ", "when\n")
    assert scores(cats, "ai2", QUESTION, f"{others(99)}\n{QUESTION}\n{others(99)}", split, "Who wrote Hamlet?") == [
        1.0,
        1.0,
        0.0,
        0.0,
    ]
    assert scores(cats, "paper", split, "Who wrote Hamlet?") == [1.0, 1.0]


def test_ai2_has_no_ngram_that_crosses_a_line_of_an_instance(cats: Path) -> None:
    joined = TWO_LINES.replace("\n", " ")
    assert scores(cats, "ai2", joined) == [0.0]
    assert scores(cats, "paper", joined) == [1.0]


def test_instance_is_the_share_of_the_instance_however_long_the_document(cats: Path) -> None:
    text = f"{others(5000)} {QUESTION} {others(5000)}"
    assert scores(cats, "instance", text, text.replace(" fur", "")) == [1.0, 2 / 3]
    assert scores(cats, "paper", text)[0] < 0.001


def test_short_instances_are_found_whole_at_word_boundaries(cats: Path) -> None:
    texts = [
        "So: Who wrote Hamlet?",
        "Who wrote Hamlets?",
        "Who wrote\nHamlet ?",
        "who wrote Hamlet?",
        "No idea",
        "Who wrote Hamlet",
    ]
    assert scores(cats, "instance", *texts) == [1.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    assert load_index(str(cats / "evals.index")).tasks[0].too_short == 1


def test_normalised_words_find_other_case_and_punctuation(tmp_path: Path) -> None:
    make_index(tmp_path, {"cats": [QUESTION, "Who wrote Hamlet?"]}, words="normalised")
    assert scores(tmp_path, "instance", QUESTION.upper(), QUESTION.replace(" ", ", "), "who WROTE “Hamlet”") == [1.0, 1.0, 1.0]


def test_stride_looks_at_every_second_ngram(cats: Path) -> None:
    # Of 12 words, n-grams 0, 2 and 4; the question's are 0, 1 and 2.
    assert scores(cats, "paper", f"{QUESTION} {others(2)}", stride=2) == [2 / 3]
    with pytest.raises(ConfigError, match="needs stride: 1"):
        NgramOverlap(index="i", rule="instance", into="o", stride=2)
    with pytest.raises(ConfigError, match="stride is 0"):
        NgramOverlap(index="i", into="o", stride=0)


def test_evidence_names_the_instance_and_the_longest_match(cats: Path, make_batch: MakeBatch) -> None:
    text = f"Zürich Why do cats purr. {QUESTION}!\n{others(3)}"
    measured, evidence = NgramOverlap(index=str(cats / "evals.index"), rule="instance", into="o").explain(make_batch(text, "x"))
    assert measured.to_pylist() == [1.0, 0.0]
    assert evidence[1].as_py() is None
    found = evidence[0].as_py()
    assert text.encode()[found.pop("start_byte") : found.pop("end_byte")].decode() == QUESTION
    assert found == {"task": "cats", "split": "test", "instance": "cats.jsonl:1", "number": 0}


def test_every_share_is_that_of_plain_sets(tmp_path: Path) -> None:
    rng = random.Random(8)
    vocabulary = "a b c d e The the. don't 3.5 — \n".split(" ")
    instances = [" ".join(rng.choices(vocabulary, k=rng.randint(1, 12))) for _ in range(300)]
    index = make_index(tmp_path, {"random": instances}, n=3, shortest=1)
    naive = Naive({i: text for i, text in enumerate(instances) if not index.is_too_short(i)}, n=3)
    texts = [" ".join(rng.choices([*vocabulary, "unknown"], k=rng.randint(0, 60))) for _ in range(1000)]
    shares, _ = index.overlap(pa.array(texts, pa.large_string()), stride=1)
    assert [tuple(row) for row in shares.tolist()] == [naive.shares(text) for text in texts]
    assert len({tuple(row) for row in shares.tolist()}) > 100
    assert len(RULES) == 3


def test_more_hits_than_expected_are_all_counted(tmp_path: Path) -> None:
    make_index(tmp_path, {"a": ["x " * 20]})
    assert scores(tmp_path, "paper", "x " * 5000, "y " + "x " * 5000) == [1.0, 4993 / 4994]


@pytest.mark.parametrize("content", [b"", b"not an index at all", b"DOLMIDX1", b"DOLMIDX1\x05\0\0\0\0\0\0\0{}"])
def test_what_is_no_index_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.index"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"bad\.index.*index"):
        load_index(str(path))


def test_a_missing_index_says_how_to_make_one() -> None:
    with pytest.raises(ConfigError, match=r"no evaluation index at gone\.index; make one with `dolmino decontaminate index"):
        NgramOverlap(index="gone.index", into="o").prepare()


def test_a_cut_index_is_refused(cats: Path) -> None:
    path = cats / "evals.index"
    cut = cats / "cut.index"
    cut.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ConfigError, match="not a whole evaluation index"):
        load_index(str(cut))
