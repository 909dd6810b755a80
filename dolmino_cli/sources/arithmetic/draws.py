"""Draws: the random choices of one document, a function of seed and number alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

from dolmino_cli.kernels.keyed_hash import derive_key

T = TypeVar("T")

_BITS_LEFT = 1 << 64


def key_of(seed: int) -> bytes:
    """The key under which all documents of a seed are drawn."""
    return derive_key("synthmath-arithmetic", seed)


class Draws:
    """A stream of choices for document `number` under `key`.

    A keyed BLAKE2b digest (64 bytes) of (number, piece) is read as one big integer, from which each choice takes the remainder
    by its number of alternatives; the next piece is hashed when fewer than 64 bits are left, so that no alternative is likelier
    than another by more than its number in 2^64. It is a published function: no library's generator can change it.
    """

    __slots__ = ("_key", "_left", "_number", "_piece")

    def __init__(self, key: bytes, number: int) -> None:
        self._key, self._number = key, number.to_bytes(8, "little")
        self._left = self._piece = 0

    def below(self, limit: int) -> int:
        """An integer from 0 up to `limit`, which is left out."""
        if self._left < _BITS_LEFT:
            name = self._number + self._piece.to_bytes(8, "little")
            self._left = int.from_bytes(hashlib.blake2b(name, key=self._key).digest(), "little")
            self._piece += 1
        self._left, value = divmod(self._left, limit)
        return value

    def between(self, first: int, last: int) -> int:
        """An integer from `first` to `last`, both included."""
        return first + self.below(last - first + 1)

    def pick(self, choices: Sequence[T]) -> T:
        """One of `choices`; what stands there several times is that much likelier."""
        return choices[self.below(len(choices))]

    def of_digits(self, digits: Sequence[int]) -> int:
        """An integer of as many digits as one of `digits`; with one digit from 2 to 9, where 0 and 1 would teach little."""
        count = self.pick(digits)
        return self.between(2, 9) if count == 1 else self.between(10 ** (count - 1), 10**count - 1)
