"""The sampled search finds what the definition defines."""

from __future__ import annotations

import random

import numpy as np
import pytest

from dolmino_cli.kernels.repetition import may_repeat, repeat_counts, windows_repeat


def definition(items: list[int], max_period: int) -> int:
    """Repeats of the most repeated unit, as one reads it: for every period the longest run of places equal to their partner."""
    best = 0
    for period in range(1, min(max_period, len(items) // 3) + 1):
        run = longest = 0
        for place in range(period, len(items)):
            run = run + 1 if items[place] == items[place - period] else 0
            longest = max(longest, run)
        best = max(best, (longest + period) // period)
    return best if best >= 3 else 0


def spelled_out(items: list[int], max_period: int) -> int:
    """The same by trying every unit at every place: the words of the paper."""
    best = 0
    for period in range(1, max_period + 1):
        for start in range(len(items) - period):
            unit, times = items[start : start + period], 1
            while items[start + times * period : start + (times + 1) * period] == unit:
                times += 1
            best = max(best, times)
    return best if best >= 3 else 0


def counts(documents: list[list[int]], *, max_period: int = 13, count_from: int = 3, dtype: type = np.uint32) -> list[int]:
    offsets = np.cumsum([0, *map(len, documents)], dtype=np.int64)
    flat = np.array([item for document in documents for item in document], dtype)
    return repeat_counts(flat, offsets, max_period, count_from).tolist()


def random_documents(count: int) -> list[list[int]]:
    """Arrays over 1 to 4 symbols, many with a repeated unit in the middle: about half have a repetition of 3 or more."""
    dice = random.Random(1)
    documents = []
    for _ in range(count):
        symbols = dice.choice([1, 2, 3, 4, 50])
        document = [dice.randrange(symbols) for _ in range(dice.randrange(0, 60))]
        if dice.random() < 0.5:
            unit = [dice.randrange(symbols) for _ in range(dice.randrange(1, 15))]
            document[len(document) // 2 : len(document) // 2] = unit * dice.randrange(2, 40)
        documents.append(document)
    return documents


def test_ten_thousand_random_arrays_count_as_defined() -> None:
    documents = random_documents(10_000)
    expected = [definition(document, 13) for document in documents]
    assert 3_000 < sum(times >= 3 for times in expected) < 9_000
    assert counts(documents) == expected
    assert counts(documents, dtype=np.uint16) == expected
    for count_from in (4, 8, 32):
        assert counts(documents, count_from=count_from) == [times if times >= count_from else 0 for times in expected]


def test_the_definition_is_what_trying_every_unit_gives() -> None:
    documents = [document[:80] for document in random_documents(300)]
    assert [definition(document, 13) for document in documents] == [spelled_out(document, 13) for document in documents]


def test_directed_arrays_around_the_bound() -> None:
    """13 periods x 4 lengths around 32 units x 6 offsets: exactly the units that fit are counted."""
    documents, expected = [], []
    for period in range(1, 14):
        for length in (32 * period - 1, 32 * period, 32 * period + 1, 33 * period - 1):
            for offset in (0, 1, 2, period, 31 * period, 100):
                before = list(range(1000, 1000 + offset))
                documents.append([*before, *(place % period for place in range(length)), *range(2000, 2007)])
                expected.append(length // period)
    assert len(documents) == 312
    assert counts(documents) == expected
    assert counts(documents, count_from=32) == [times if times >= 32 else 0 for times in expected]
    assert counts(documents, max_period=12)[-24:] == [0] * 24, "a unit of 13 is out of reach of 12"


@pytest.mark.parametrize(
    ("document", "times"),
    [([], 0), ([5], 0), ([5, 5], 0), ([5, 5, 5], 3), ([1, 2, 1, 2, 1], 0), ([1, 2, 1, 2, 1, 2], 3), ([0] * 4096, 4096)],
)
def test_small_arrays(document: list[int], times: int) -> None:
    assert counts([document]) == [times]


def test_a_repetition_does_not_cross_documents() -> None:
    assert counts([[7, 7], [7, 7], [7, 7, 7]]) == [0, 0, 3]


def test_the_byte_test_never_misses_what_tokens_repeat() -> None:
    """Tokens of 1 to 3 bytes: whatever repeats as tokens repeats as bytes."""
    spelling = {0: b"a", 1: b"ab", 2: b"b", 3: b"aba", 4: "é".encode()}
    documents = [[item % 5 for item in document] for document in random_documents(3_000)]
    texts = [b"".join(spelling[item] for item in document) for document in documents]
    data, offsets = np.frombuffer(b"".join(texts), np.uint8), np.cumsum([0, *map(len, texts)], dtype=np.int64)
    times = np.array(counts(documents))
    for count in (4, 8, 32):
        may = may_repeat(data, offsets, 13 * 3, count)
        assert may[times >= count].all()
        assert not may.all(), "a test that everything passes tests nothing"
        # And it is exact for bytes.
        by_bytes = [definition(list(text), 39) >= count for text in texts[:400]]
        assert may[:400].tolist() == by_bytes


def test_directed_windows_around_the_bound() -> None:
    """13 periods x 4 lengths around 32 units x 6 offsets, one of them the window's end, each in a window of 4096."""
    expected, arrays = [], []
    for period in range(1, 14):
        for length in (32 * period - 1, 32 * period, 32 * period + 1, 33 * period - 1):
            for offset in (0, 1, 2, period, 31 * period, 4096 - length):
                window = np.arange(1000, 1000 + 4096, dtype=np.uint32)
                window[offset : offset + length] = np.arange(length) % period
                arrays.append(window)
                expected.append(length >= 32 * period)
    assert len(arrays) == 312
    flat = np.concatenate(arrays)
    assert windows_repeat(flat, 4096, 13, 32).tolist() == expected
    assert windows_repeat(flat.astype(np.uint16), 4096, 13, 32).tolist() == expected


def test_random_windows_are_masked_as_defined() -> None:
    flat = [item for document in random_documents(600) for item in document]
    for window, count in ((64, 4), (100, 32), (37, 8), (13, 3), (5, 3)):
        cut = [flat[start : start + window] for start in range(0, len(flat) - window + 1, window)]
        expected = [definition(items, 13) >= count for items in cut]
        assert 0 < sum(expected) < len(expected)
        assert windows_repeat(np.array(flat, np.uint32), window, 13, count).tolist() == expected
