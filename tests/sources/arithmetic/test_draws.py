"""Draws: a function of seed, number and nothing else; every alternative equally likely."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from dolmino_cli.kernels.keyed_hash import derive_key
from dolmino_cli.sources.arithmetic.draws import Draws, key_of


def test_it_is_the_keyed_blake2b_that_the_docstring_says() -> None:
    draws = Draws(key_of(42), 7)
    key = derive_key("synthmath-arithmetic", 42)
    pieces = [
        int.from_bytes(hashlib.blake2b((7).to_bytes(8, "little") + piece.to_bytes(8, "little"), key=key).digest(), "little")
        for piece in range(3)
    ]
    expected = []
    for left in pieces:
        while left >= 1 << 64:
            left, value = divmod(left, 1000)
            expected.append(value)
    assert [draws.below(1000) for _ in expected] == expected
    assert len(expected) > 3 * 44  # 448 bits of each piece, ten at a time


def test_a_stream_does_not_depend_on_others() -> None:
    alone = Draws(key_of(1), 5)
    first = [alone.below(100) for _ in range(200)]
    for other in (Draws(key_of(1), 6), Draws(key_of(2), 5)):
        assert [other.below(100) for _ in range(200)] != first
    again = Draws(key_of(1), 5)
    assert [again.below(100) for _ in range(200)] == first


@pytest.mark.parametrize("limit", [2, 3, 7, 100])
def test_every_alternative_is_as_likely(limit: int) -> None:
    counts = Counter(draws.below(limit) for number in range(400) for draws in [Draws(key_of(3), number)] for _ in range(50))
    expected = 20_000 / limit
    assert sorted(counts) == list(range(limit))
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < limit + 6 * (2 * limit) ** 0.5  # chi-squared


def test_integers_have_the_digits_asked_for() -> None:
    draws = Draws(key_of(4), 0)
    assert {draws.of_digits((1,)) for _ in range(300)} == set(range(2, 10))
    found = [draws.of_digits((3,)) for _ in range(5000)]
    assert (min(found), max(found)) == (100, 999)
    assert {draws.between(-2, 2) for _ in range(200)} == {-2, -1, 0, 1, 2}
