"""The hard set holds what it says, and knows the tokenizer's own tokens."""

from __future__ import annotations

from dolmino_cli.tokenizer import hard_set
from dolmino_cli.tokenizer.identity import AddedToken


def test_strings_are_many_distinct_and_encodable() -> None:
    strings = list(hard_set.strings([]))
    assert len(strings) == len(set(strings)) >= 150
    assert sum(len(text.encode()) for text in strings) < 60_000  # it is encoded when a tokenizer is first met
    assert {"\x00", "\r\n", "", "<|endoftext|>", "  1", "1 a", ".\n\n"} <= set(strings)


def test_the_tokenizers_own_tokens_stand_in_text() -> None:
    mine = set(hard_set.strings([AddedToken(id=1, content="<mine>", special=True)]))
    assert {"<mine>", "a<mine>b", " <mine> <mine>\n"} <= mine
