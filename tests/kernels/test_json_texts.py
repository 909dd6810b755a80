"""What the kernel makes of JSON strings is what Python's json makes of them."""

from __future__ import annotations

import itertools
import json
import random

import numpy as np
import pytest

from dolmino_cli.kernels.json_texts import BLOCK_BYTES, json_texts

EVERY_CHARACTER = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
PIECES = [*'\\"/\n\t\x00\x1funé日\U0001f600\U0010ffff', "\b\f\r", "x" * 31, "y" * 32, "z" * 33]
ESCAPES = [r"\"", r"\\", r"\/", r"\b", r"\f", r"\n", r"\r", r"\t", r"\u00e9", r"\u00E9", r"\uD83D\uDe00", r"\\\\", r"\\u0041"]


def texts_of(strings: list[bytes]) -> list[str]:
    written = b"".join(strings)
    behind = b'"\\' * (BLOCK_BYTES // 2)  # which it must not take for the strings'
    texts, offsets, ends = json_texts(np.frombuffer(written + behind, np.uint8), len(written), len(strings))
    assert np.diff(ends, prepend=0).tolist() == [len(string) for string in strings]
    bounds = offsets.tolist()
    assert len(bounds) == len(strings) + 1
    return [texts[start:end].tobytes().decode() for start, end in itertools.pairwise(bounds)]


@pytest.mark.parametrize("ascii_only", [True, False])
def test_every_character(ascii_only: bool) -> None:
    assert texts_of([json.dumps(EVERY_CHARACTER, ensure_ascii=ascii_only).encode()]) == [EVERY_CHARACTER]


def test_every_escape_at_every_place_of_a_block() -> None:
    strings = [f'"{"a" * before}{escape}{"b" * (before % 3)}"' for before in range(2 * BLOCK_BYTES + 2) for escape in ESCAPES]
    assert texts_of([string.encode() for string in strings]) == [json.loads(string) for string in strings]


def test_random_texts() -> None:
    choice = random.Random(1)
    texts = ["".join(choice.choices(PIECES, k=choice.randrange(12))) for _ in range(20_000)]
    assert texts_of([json.dumps(text, ensure_ascii=choice.random() < 0.5).encode() for text in texts]) == texts


def test_no_strings_have_no_texts() -> None:
    assert texts_of([]) == []


@pytest.mark.parametrize("other", [b"5", b"null", b'{"a":"b"}', b'["a"]', b"true"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_no_string_is_noticed(other: bytes, place: int) -> None:
    strings = [b'"one"', b'"two"']
    strings.insert(place, other)
    written = b"".join(strings)
    _, offsets, _ = json_texts(np.frombuffer(written + bytes(BLOCK_BYTES), np.uint8), len(written), len(strings))
    assert not len(offsets)
