"""The remainder without a division is the remainder."""

from __future__ import annotations

import random

import numba
import numpy as np

from dolmino_cli.kernels.fasttext_line import _FEWEST_BUCKETS, _remainder


@numba.njit
def remainders(values: np.ndarray, buckets: int) -> np.ndarray:
    found = np.empty(len(values), np.int64)
    for i in range(len(values)):
        found[i] = _remainder(values[i], buckets, 1.0 / buckets)
    return found


def test_the_remainder_of_every_kind_of_number() -> None:
    dice = random.Random(5)
    for buckets in (_FEWEST_BUCKETS, _FEWEST_BUCKETS + 1, 200_000, 2_000_000, 10_000_019, 2**31 - 1):
        largest = 2**64 // buckets
        multiples = [dice.randrange(largest) * buckets for _ in range(3000)] + [(largest - 1) * buckets]
        values = [0, 1, buckets - 1, 2**64 - 1, 2**63, 2**63 - 1, *(dice.getrandbits(64) for _ in range(3000))]
        values += [multiple + more for multiple in multiples for more in (-1, 0, 1) if multiple + more >= 0]
        assert remainders(np.array(values, np.uint64), buckets).tolist() == [value % buckets for value in values]
