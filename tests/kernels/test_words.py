"""Counting words over bytes gives what Python's `re` and `Counter` give over strings."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from dolmino_cli.buffers import text_buffers
from dolmino_cli.kernels.unicode import word_characters
from dolmino_cli.kernels.words import count_top_words, count_trimmed_bytes, count_word_pieces, count_words
from dolmino_cli.shards.reading import read_batches

TEXTS = [
    "", " ", "\u3000", "A", "aB", "ABc aBC A_ _A 1A A1", "éAé AB\u3000x", "a\x1c b\x1f", "\u2028a", "camelCaseWordAB",
    "def f(x):\n    return x\n" * 3, "日本語 日本語 日本", "½ ²³ _x_ __", "a--b -- -- \u00a0--\u00a0", "ÀB Éa AÉ", "!?",
    "x" * 300,
    "a b " * 5000 + "c " * 5001, " ".join(f"w{number}" for number in range(9000)),
]  # fmt: skip


def random_texts(count: int) -> list[str]:
    dice = random.Random(2)
    letters = "aAbBzZ_09 \n\t\x1c\x1f\x85\u00a0\u2028.,-éÉ日½"
    return ["".join(dice.choices(letters, k=dice.randrange(0, 40))) for _ in range(count)]


def check(texts: list[str]) -> None:
    """Compare all four counts with Python's on every text."""
    data, offsets = text_buffers(pa.array(texts, pa.large_string()))
    table = word_characters()
    starcoder = [[word for piece in re.split(r"(\W+|[A-Z]\w+)", text) if (word := piece.strip())] for text in texts]
    assert count_top_words(data, offsets, table, False).tolist() == [top(words) for words in starcoder]
    assert count_top_words(data, offsets, table, True).tolist() == [top(text.split()) for text in texts]
    assert count_words(data, offsets).tolist() == [len(text.split()) for text in texts]
    assert count_word_pieces(data, offsets, table).tolist() == [len(re.findall(r"\w+|[^\w\s]+", text)) for text in texts]
    white_space = "".join(chr(code) for code in range(0x3001) if chr(code).isspace() and not 0x1C <= code <= 0x1F)
    assert count_trimmed_bytes(data, offsets).tolist() == [len(text.strip(white_space).encode()) for text in texts]


def top(words: list[str]) -> list[int]:
    counts = [count for _, count in Counter(words).most_common(2)]
    return [*[*counts, 0, 0][:2], len(words)]


def test_written_texts() -> None:
    check(TEXTS)


def test_random_texts() -> None:
    check(random_texts(3000))


def test_real_texts(shared_data: Path) -> None:
    for name in ("code/mbxp-0000.jsonl.zst", "multilingual/zhwiki-0000.jsonl.zst", "web/sms_spam-0000.jsonl.zst"):
        for batch, _ in read_batches(str(shared_data / name)):
            check(batch.text.to_pylist())


def test_a_slice_of_a_column_is_counted_by_its_own_rows() -> None:
    whole = pa.array(["a b", "c", "d e f"], pa.large_string())
    assert count_words(*text_buffers(whole.slice(1))).tolist() == [1, 3]
    assert count_words(*text_buffers(whole.slice(3))).tolist() == []
    assert np.shares_memory(text_buffers(whole)[0], text_buffers(whole.slice(1))[0]), "no copy"
