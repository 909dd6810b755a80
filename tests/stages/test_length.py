"""`length`: each unit on one text where the units differ."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.errors import ConfigError
from dolmino_cli.stages.length import Length
from tests.stages.conftest import MakeBatch

TEXT = "\x1c Déjà vu, x_1!\u3000"


@pytest.mark.parametrize(
    ("unit", "lengths"),
    [
        ("characters", [16, 0]),
        ("words", [3, 0]),
        ("bytes", [20, 0]),
        ("trimmed_bytes", [17, 0]),  # the information separator stays, the ideographic space goes
        ("word_pieces", [6, 1]),  # "Déjà" "vu" "," "x_1" "!" and one more; an empty text has one
    ],
)
def test_units(make_batch: MakeBatch, unit: Any, lengths: list[int]) -> None:
    stage = Length(unit=unit, into="n")
    assert stage(make_batch(TEXT, "")).to_pylist() == lengths
    assert str(stage(make_batch(TEXT)).type) == "int64"


def test_word_pieces_are_what_was_run(make_batch: MakeBatch) -> None:
    texts = [TEXT, "", "a", " a ", "a.b c", "日本語、日本", "...", "x = f(y)\n"]
    expected = [len(re.split(r"\w+|[^\w\s]+", text)) for text in texts]
    assert Length(unit="word_pieces", into="n")(make_batch(*texts)).to_pylist() == expected


def test_tokens_are_counted_by_the_tokenizer_and_shared_in_a_batch(make_batch: MakeBatch, shared_data: Path) -> None:
    tokenizer = str(shared_data / "tokenizers" / "allenai_dolma2.json")
    batch = make_batch("Hello world", "", " dog" * 7)
    stage = Length(unit="tokens", into="n", tokenizer=tokenizer)
    assert stage(batch).to_pylist() == [2, 0, 7]
    assert list(batch.memo) == [("tokens", tokenizer)]
    assert stage.prepare()["tokenizer_sha256"] == "3ca996cca8afea58b34e95c353e859333592642a5e51d695d7a6dbbaf692dfe9"


def test_tokens_need_a_tokenizer_and_nothing_else_takes_one() -> None:
    for unit, tokenizer in (("tokens", None), ("words", "t")):
        with pytest.raises(ConfigError, match="`tokens` needs a tokenizer, the others take none"):
            Length(unit=unit, into="n", tokenizer=tokenizer)
