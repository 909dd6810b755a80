"""`filters/starcoder.yaml`: either side's rule at its edges, and against plain Python on texts of every kind."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.errors import DataError
from tests.filters import oracle
from tests.filters.make import byte_tokenizer, document, run_recipe
from tests.pipeline.make import write_shard


def words(count: int, start: int = 0) -> list[str]:
    """Different words, each one piece, none capitalised."""
    return [f"w{start + number:x}q" for number in range(count)]


def text_of(*groups: tuple[str, int], others: int) -> str:
    """`others` different words, and each word of `groups` as often as it says, spread out so that nothing repeats in a row."""
    spread = words(others)
    for word, count in groups:
        step = max(1, (len(spread) + count) // count)
        for number in range(count):
            spread.insert(min(number * step, len(spread)), word)
    return " ".join(spread)


EDGES: list[tuple[str, str, Any]] = [
    ("plain", " ".join(words(150)), 5),
    ("two-stars", " ".join(words(150)), 2),
    ("one-star", " ".join(words(150)), 1),
    ("stars-in-words", " ".join(words(150)), "7"),
    ("top-30", text_of(("x", 60), others=140), 5),
    ("top-29", text_of(("x", 59), others=141), 5),
    ("top-31", text_of(("x", 61), others=139), 5),
    ("two-50", text_of(("x", 55), ("y", 45), others=100), 5),
    ("two-51", text_of(("x", 55), ("y", 46), others=99), 5),
    ("pieces-99", " ".join(words(98)), 5),
    ("pieces-100", " ".join(words(99)), 5),
    ("pieces-20000", " ".join(words(19_999)), 5),
    ("pieces-20001", " ".join(words(20_000)), 5),
    ("repeats-10", " ".join(words(150)) + "+-*" * 10, 5),
    ("repeats-11", " ".join(words(150)) + "+-*" * 11, 5),
    ("repeats-31", " ".join(words(150)) + "+-*" * 31, 5),
    ("repeats-32", " ".join(words(150)) + "+-*" * 32, 5),
    ("no-words", " \n ", 5),
]

KEPT = {
    "paper": "plain two-stars stars-in-words top-30 top-29 two-50 pieces-99 pieces-100 pieces-20000 pieces-20001 "
    "repeats-10 repeats-11 repeats-31 no-words",
    "ai2": "plain two-stars stars-in-words top-29 two-50 two-51 pieces-100 pieces-20000 repeats-10",
}
# A text of one run of punctuation over and over is one word of many: the words see nothing of the repetitions above.


def shard(folder: Path, documents: list[tuple[str, str, Any]]) -> Path:
    lines = [document(name, text, max_stars_count=stars) for name, text, stars in documents]
    return write_shard(folder / "in/code.jsonl.zst", lines)


def run(folder: Path, documents: list[tuple[str, str, Any]], profile: str, *overrides: str) -> Any:
    tokenizer = f"repetitions.tokenizer={byte_tokenizer(folder)}"
    return run_recipe("starcoder", profile, [shard(folder, documents)], folder / profile, [tokenizer, *overrides])


@pytest.mark.parametrize("profile", ["paper", "ai2"])
def test_every_bound_is_met_on_the_right_side(tmp_path: Path, profile: str) -> None:
    assert run(tmp_path, EDGES, profile).kept == KEPT[profile].split()


@pytest.mark.parametrize(("profile", "rule"), [("paper", oracle.starcoder_paper), ("ai2", oracle.starcoder_ai2)])
def test_reasons_are_those_of_plain_python(tmp_path: Path, profile: str, rule: Any) -> None:
    dice = random.Random(7)
    pieces = [
        "x",
        "=",
        "Foo",
        "getHTTPResponse",
        "  ",
        "\n",
        "255, ",
        "==",
        "été",
        "日本",
        "_a1",
        ";\n",
        "(",
        "0x",
        "\x1c",
        "q9 ",
    ]
    random_texts = []
    for number in range(400):
        some = dice.sample(pieces, dice.randrange(1, len(pieces)))
        text = "".join(dice.choices(some, k=dice.choice([3, 40, 150, 400]))) + dice.choice(pieces) * dice.choice([0, 9, 12, 33])
        random_texts.append((f"r{number}", text, dice.choice([0, 1, 2, 3, 3, 3])))
    documents = [*EDGES, *random_texts]
    reasons = run(tmp_path, documents, profile).reasons
    expected = {name: rule(text, float(stars), bytes_of) for name, text, stars in documents}
    assert reasons == expected
    assert len(set(expected.values())) == 5, "every reason and none occurs"


def bytes_of(text: str) -> bytes:
    return text.encode()


@pytest.mark.parametrize("profile", ["paper", "ai2"])
def test_a_file_without_a_count_of_stars_stops_the_run_unless_told_otherwise(tmp_path: Path, profile: str) -> None:
    documents = [EDGES[0], ("unstarred", EDGES[0][1], None)]
    with pytest.raises(DataError, match=r"code\.jsonl\.zst:2: document 'unstarred' has no score 'stars'; say `missing: drop`"):
        run(tmp_path, documents, profile)
    assert run(tmp_path, documents, profile, "stars.missing=drop").reasons == {"plain": None, "unstarred": "stars"}
