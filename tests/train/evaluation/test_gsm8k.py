"""GSM* is drawn as documented, items are known by their words, and what is held out stays so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.train.evaluation import gsm8k
from dolmino_cli.train.evaluation.discipline import choose
from dolmino_cli.train.evaluation.gsm8k import ITEMS, STAR, draw, fingerprint, item_number
from dolmino_cli.train.evaluation.interval import wilson
from dolmino_cli.train.evaluation.local_items import read_local

# Item 0 of GSM8K's test split begins so; it is of GSM*. Only hashes are kept of the others.
QUESTIONS = [f"How much is {number} and {number}?" for number in range(ITEMS)]


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test split made by us, with as many items."""
    numbers = {fingerprint(question): number for number, question in enumerate(QUESTIONS)}
    monkeypatch.setattr(gsm8k, "_numbers", lambda: numbers)


def documents(*numbers: int) -> list[dict[str, object]]:
    return [{"question": QUESTIONS[number], "answer": str(2 * number)} for number in numbers]


def test_star_is_drawn_as_documented() -> None:
    assert draw() == STAR
    assert len(set(STAR)) == 200
    assert STAR[:4] == (0, 2, 7, 13)
    assert STAR[-1] < ITEMS


def test_an_item_is_known_however_it_is_set(ours: None) -> None:
    assert item_number({"id": 3, "question": "Question:  how much is 41 and 41 ?\n"}) == 41
    assert item_number({"text": "HOW MUCH IS 41, AND 41?"}) == 41
    assert item_number({"messages": [{"role": "user", "content": "How much is 41 and 41?"}]}) == 41
    assert item_number({"question": "How much is 41 and 42?"}) is None


def test_star_and_final_share_no_item_and_leave_none(ours: None) -> None:
    every = documents(*range(ITEMS))
    star, final = choose("gsm8k", every, star=True, final=False), choose("gsm8k", every, star=False, final=True)
    assert star.places == STAR
    assert len(final.places) == 1119
    assert sorted(star.places + final.places) == list(range(ITEMS))
    assert (star.held_out, final.held_out) == (False, True)
    assert choose("gsm8k", every, star=True, final=True) == star  # what is of GSM* is never more than that


def test_held_out_items_are_refused_in_any_task_and_order(ours: None) -> None:
    """A task of other questions in which one of the test split stands is one of GSM8K."""
    mixed = [{"question": "What is the capital of Peru?"}, *documents(1, 0)]
    with pytest.raises(ConfigError, match="task mine asks items of GSM8K's test split, 1,119 of which are held out"):
        choose("mine", mixed, star=False, final=False)
    assert choose("mine", mixed, star=True, final=False).places == (2,)
    assert choose("mine", mixed, star=False, final=True).places == (0, 1)
    with pytest.raises(ConfigError, match="has 1 documents, and none of them in GSM"):
        choose("mine", documents(1), star=True, final=False)


def test_other_tasks_are_asked_whole(ours: None) -> None:
    other = [{"question": f"Which is river {number}?"} for number in range(5)]
    assert choose("rivers", other, star=False, final=False).places == (0, 1, 2, 3, 4)
    assert choose("rivers", other, star=False, final=False, limit=2).places == (0, 1)
    with pytest.raises(ConfigError, match="task rivers asks no item of GSM8K's test split"):
        choose("rivers", other, star=True, final=False)


def test_local_items_are_those_of_the_test_split_in_its_order(ours: None, tmp_path: Path) -> None:
    def written(name: str, rows: list[dict[str, object]]) -> Path:
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return tmp_path / name

    every = documents(*range(ITEMS))
    found = read_local(written("test.jsonl", every), written("train.jsonl", [{"question": "a?", "answer": "b"}]))
    assert [row["question"] for row in found.test] == QUESTIONS
    assert found.examples == ({"question": "a?", "answer": "b"},)
    for wrong in (every[:-1], every[::-1], [*every[:-1], {"question": "?", "answer": ""}]):
        with pytest.raises(ConfigError, match="is not GSM8K's test split in its order"):
            read_local(written("wrong.jsonl", wrong), None)
    with pytest.raises(DataError, match=r"train\.jsonl:2: is an item of GSM8K's test split"):
        read_local(tmp_path / "test.jsonl", written("train.jsonl", [{"question": "a?", "answer": "b"}, every[5]]))
    with pytest.raises(DataError, match=r'wrong\.jsonl:1: has no "question" and "answer"'):
        read_local(written("wrong.jsonl", [{"text": "x"}]), None)


def test_interval_is_wilsons() -> None:
    """Of 50 right of 200: 0.1951 to 0.3143 (any table of Wilson's interval); of none, not nothing."""
    assert wilson(50, 200) == pytest.approx((0.19509, 0.31431), abs=5e-5)
    assert wilson(0, 200) == pytest.approx((0.0, 0.018846), abs=5e-5)
    assert wilson(200, 200)[1] == 1.0


def test_real_items_are_known(shared_data: Path) -> None:
    import gzip

    with gzip.open(shared_data / "gsm8k" / "gsm8k_test.docs.jsonl.gz", "rt") as file:
        texts = [json.loads(line)["text"] for line in file]
    found = []
    for text in texts:
        lines = text.split("\n")
        starts = ["\n".join(lines[:count]) for count in range(1, len(lines))]  # a question may be of several lines
        found.append(next(number for start in starts if (number := item_number({"q": start})) is not None))
    assert found == list(range(ITEMS))
    with gzip.open(shared_data / "gsm8k" / "gsm8k_train.docs.jsonl.gz", "rt") as file:
        assert all(item_number({"q": json.loads(line)["text"].split("\n")[0]}) is None for line in file)
