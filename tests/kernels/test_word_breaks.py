"""Words are those of UAX #29: the same as another implementation cuts, on every class of characters."""

from __future__ import annotations

import random

import numpy as np
from uniseg.emoji import extended_pictographic
from uniseg.wordbreak import word_break

from dolmino_cli.kernels.word_breaks import fold_word, folded_characters, word_classes, word_spans
from tests.sources.make import split_words

# At least two characters of every class, one of them beyond ASCII where there is one.
CHARACTERS = "aB1_'\".,:;- \n\r\té\u0301\u200d\u00ad日カא״\u05f3🇩🇪👩🏽❤\ufe0fⓜ\u3000\u2009\u0600·’٠٫ｦー𝟘\x0b\x85\u2028‿"


def words(text: str) -> list[str]:
    data = np.frombuffer(text.encode(), np.uint8)
    return [data[start:end].tobytes().decode() for start, end in word_spans(data, word_classes())]


def fold(word: str) -> str:
    data = np.frombuffer(word.encode(), np.uint8)
    out = np.empty(2 * len(data), np.uint8)
    return out[: fold_word(data, 0, len(data), folded_characters(), out)].tobytes().decode()


def test_examples() -> None:
    assert words("The U.S. can't “do” 3.5, x_y: 日本 ok.") == (
        ["The", "U.S", ".", "can't", "“", "do", "”", "3.5", ",", "x_y", ":", "日", "本", "ok", "."]
    )
    assert words("👩\u200d🚀 🇩🇪🇫🇷 cafe\u0301\r\n\n  a:b a: b") == ["👩\u200d🚀", "🇩🇪", "🇫🇷", "cafe\u0301", "a:b", "a", ":", "b"]
    assert words("") == words(" \n\u2003\u2028") == []


def test_random_strings_are_cut_as_another_implementation_cuts_them() -> None:
    rng = random.Random(29)
    for _ in range(20_000):
        text = "".join(rng.choices(CHARACTERS, k=rng.randint(0, 9)))
        assert words(text) == split_words(text), ascii(text)


def test_every_code_point_is_of_its_class() -> None:
    names = {"OTHER": 0} | {
        name: number
        for number, name in enumerate(
            "CR LF NEWLINE EXTEND FORMAT ZWJ WSEGSPACE REGIONAL_INDICATOR ALETTER HEBREW_LETTER NUMERIC KATAKANA EXTENDNUMLET "
            "MIDLETTER MIDNUM MIDNUMLET SINGLE_QUOTE DOUBLE_QUOTE".split(),
            start=1,
        )
    }
    classes = word_classes()
    sample = [*range(0x3100), *range(0x3100, 0x110000, 7)]
    assert [int(classes[code] & 31) for code in sample] == [names[word_break(chr(code)).name] for code in sample]
    assert [bool(classes[code] & 32) for code in sample] == [extended_pictographic(chr(code)) for code in sample]


def test_normalised_words() -> None:
    assert [fold(word) for word in ["Don’t", "U.S", "ÉTÉ", "x_y", "...", "𐐀", "İ", "ⱭȺ", "cafe\u0301"]] == (
        ["dont", "us", "été", "xy", "", "𐐨", "i", "ɑⱥ", "cafe\u0301"]
    )
