"""`in_index`: documents that are evaluation instances, by id or as a whole."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest

from dolmino_cli.errors import ConfigError
from dolmino_cli.sources.evaluation_index import IndexOptions, build_index
from dolmino_cli.sources.evaluation_sets import EvaluationSet
from dolmino_cli.stages.in_index import InIndex
from tests.sources.make import make_index
from tests.stages.conftest import batch_of

QUESTION = "A robe takes 2 bolts of blue fiber  and half that\nmuch white fiber. How many bolts?"
SHORT = "Who wrote Hamlet?"


@pytest.fixture
def index(tmp_path: Path) -> str:
    return str(make_index(tmp_path, {"made": [SHORT, QUESTION, "No"]}).path)


def by_text(index: str, *texts: str) -> tuple[list[int], list[dict[str, object] | None]]:
    scores, evidence = InIndex(index=index, by="text", into="held").explain(batch_of(*texts))
    return scores.to_pylist(), evidence.to_pylist()


def test_a_text_that_holds_a_whole_instance_is_found_wherever_it_stands(index: str) -> None:
    plain = " ".join(QUESTION.split())
    held = [QUESTION, plain, f"\n\n{plain}\nIt takes 3.", f'Zoë: """{QUESTION}"""', QUESTION.replace(" ", "\u3000\t"), SHORT]
    changed = [plain.replace("2", "3"), plain.lower(), plain[1:], plain[:-1], plain.replace("blue ", ""), "No", ""]
    assert by_text(index, *held)[0] == [1] * len(held)
    assert by_text(index, *changed)[0] == [0] * len(changed)


def test_the_evidence_names_the_instance_and_where_it_stands(index: str) -> None:
    text = f'Zoë asks: "{QUESTION}" Nobody knows.'
    (found,) = by_text(index, text)[1]
    assert found is not None
    assert text.encode()[found["start_byte"] : found["end_byte"]].decode() == QUESTION  # type: ignore[misc]
    assert (found["task"], found["split"], found["instance"], found["number"]) == ("made", "test", "made.jsonl:2", 1)
    assert by_text(index, "nothing")[1] == [None]


def test_of_several_instances_the_first_in_the_index_is_named(index: str) -> None:
    (found,) = by_text(index, f"{QUESTION} {SHORT}")[1]
    assert found is not None
    assert found["instance"] == "made.jsonl:1"


def test_ids_are_compared_letter_by_letter(tmp_path: Path) -> None:
    items = tmp_path / "items.jsonl"
    items.write_text(
        '{"id": "d2", "text": "One question of five words?"}\n{"id": "D1", "text": "And another one of six words?"}\n'
    )
    evaluation = EvaluationSet(path=str(items), fields=("text",), id="id", task="made", split="test")
    index = build_index([evaluation], str(tmp_path / "evals.index"), IndexOptions())
    scores, evidence = InIndex(index=str(index.path), by="id", into="listed").explain(batch_of("x", "y", "z"))
    assert (scores.type, scores.to_pylist()) == (pa.int64(), [0, 1, 0])
    assert [found and found["instance"] for found in evidence.to_pylist()] == [None, "d2", None]


def test_it_finds_what_looking_for_every_instance_finds(tmp_path: Path) -> None:
    dice = random.Random(7)
    words = "a b c, d. é"
    instances = list(dict.fromkeys(" ".join(dice.choices(words.split(), k=dice.randrange(3, 9))) for _ in range(60)))
    texts = [" ".join(dice.choices([*words.split(), "\n"], k=dice.randrange(40))) for _ in range(400)]
    made = make_index(tmp_path, {"made": instances}, shortest=1)
    expected = [int(any(instance in " ".join(text.split()) for instance in instances)) for text in texts]
    assert by_text(str(made.path), *texts)[0] == expected
    assert 50 < sum(expected) < 350, "both must occur for this to say something"


def test_what_was_loaded_says_whether_ids_can_match(tmp_path: Path, index: str) -> None:
    assert InIndex(index=index, by="id", into="i").prepare()["ids"] == "none are the data's own (--id-field)"
    assert "ids" not in InIndex(index=index, by="text", into="t").prepare()
    items = tmp_path / "items.jsonl"
    items.write_text('{"id": "d2", "text": "One question of five words?"}\n')
    own, lines = (EvaluationSet(path=str(items), fields=("text",), id=id, task=id or "made", split="test") for id in ("id", ""))
    both = build_index([own, lines], str(tmp_path / "both.index"), IndexOptions())
    assert InIndex(index=str(both.path), by="id", into="i").prepare()["ids"] == "1 of 2 are the data's own"


def test_without_an_index_it_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no evaluation index at .*dolmino decontaminate index"):
        InIndex(index=str(tmp_path / "none.index"), by="id", into="listed").prepare()
