"""The tokens of a text are those that a plain reading of its bytes finds, around the ends of chunks and blocks too."""

from __future__ import annotations

import random
import re

import numba
import numpy as np
import pytest

from dolmino_cli.kernels.fasttext_line import CHUNK_BYTES, chunk_tokens, split_chunk

# Words whose bytes look like parts of separators, short and long; what separates; what separates with `split_lines` only.
WORDS = (
    "a", "of", "the", "é", "©", "â", "…", "“”", "‧x", "\u2027", "ẞ", "日本", "\x1f", "\x7f", "\xa0", "👍",
    "x" * 7, "y" * 8, "z" * 9,
)  # fmt: skip
SEPARATORS = (" ", "  ", "\n", "\t", "\r\n", "\v", "\f", "\0", " \n ")
LINE_ENDS = ("\x85", "\u2028", "\u2029", "\x1c", "\x1d", "\x1e", "\u2028\u2029")


@numba.njit
def tokens_of(data: np.ndarray, at: int, end: int, split_lines: bool, found: np.ndarray) -> int:
    tokens, scratch = chunk_tokens()
    number = 0
    while at < end:
        count, at = split_chunk(data, at, end, split_lines, tokens, scratch)
        for token in range(count):
            found[number, 0], found[number, 1] = tokens.keys[token], tokens.heads[token]
            found[number, 2], found[number, 3] = tokens.tails[token], np.uint64(tokens.ends[token])
            number += 1
    return number


def fnv(token: bytes) -> int:
    value = 2166136261
    for byte in token:
        value = (value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16777619 & 0xFFFFFFFF
    return value


def expected(data: bytes, start: int, end: int, split_lines: bool) -> list[tuple[int, ...]]:
    longer = rb"[\x1c-\x1e]|\xc2\x85|\xe2\x80[\xa8\xa9]"
    part = re.sub(longer, lambda found: b" " * len(found[0]), data[start:end]) if split_lines else data[start:end]
    rows = []
    for token in re.finditer(rb"[^ \t-\r\0]+", part):
        text = token[0]
        row = len(text) << 32 | fnv(text), int.from_bytes(text[:8], "little"), int.from_bytes(text[-8:], "big")
        rows.append((*row, start + token.end()))
    return rows


@pytest.mark.parametrize("split_lines", [True, False])
@pytest.mark.parametrize("seed", range(40))
def test_tokens_of_any_text_are_found_with_their_hash_and_bytes(seed: int, split_lines: bool) -> None:
    chance = random.Random(seed)
    size = chance.choice((0, 1, 63, 64, 65, 500, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES))
    spacing = chance.choice((1, 1, 3, 200, 4000))  # words between separators: to the longest tokens
    pieces: list[str] = []
    while sum(map(len, pieces)) < size:
        pieces += chance.choices(WORDS, k=chance.randint(1, spacing))
        pieces.append(chance.choice(SEPARATORS + LINE_ENDS))
    before, text = "…\u2028"[: chance.randint(0, 2)].encode(), "".join(pieces).encode()
    data = before + text + b"behind"
    found = np.zeros((len(data) + 8, 4), np.uint64)
    count = tokens_of(np.frombuffer(data, np.uint8), len(before), len(before) + len(text), split_lines, found)
    assert [tuple(map(int, row)) for row in found[:count]] == expected(data, len(before), len(before) + len(text), split_lines)
