"""`word_concentration`: shares of the top word and the top two, by both notions of a word."""

from __future__ import annotations

import unicodedata

from dolmino_cli.stages.keep import Keep
from dolmino_cli.stages.word_concentration import WordConcentration
from tests.stages.conftest import MakeBatch


def test_shares(make_batch: MakeBatch) -> None:
    # Words: "x" "=" "x" "+" "y" "def" "Abc": punctuation and capitalised tails count, spaces do not.
    batch = make_batch("x = x + y defAbc", "a", "", "  \n", "a a b b b c")
    assert WordConcentration(top=1, into="w")(batch).to_pylist() == [2 / 7, 1.0, None, None, 3 / 6]
    assert WordConcentration(top=2, into="w")(batch).to_pylist() == [3 / 7, 1.0, None, None, 5 / 6]
    assert WordConcentration(top=1, into="w", words="whitespace")(batch).to_pylist() == [2 / 6, 1.0, None, None, 3 / 6]


def test_exactly_30_percent_is_dropped_by_the_recipe_and_kept_by_the_paper(make_batch: MakeBatch) -> None:
    batch = make_batch("a a a b c d e f g h")
    scores = WordConcentration(top=1, into="w")(batch)
    assert scores.to_pylist() == [0.3]
    assert Keep(score="w", below=0.3).decide(scores, batch).tolist() == [False]
    assert Keep(score="w", at_most=0.3).decide(scores, batch).tolist() == [True]


def test_whose_word_characters_is_recorded() -> None:
    assert WordConcentration(top=1, into="w").prepare() == {"unicode": unicodedata.unidata_version}
