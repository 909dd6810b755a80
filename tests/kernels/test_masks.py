"""64 bytes as bits, and the place of a bit."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from dolmino_cli.kernels.masks import BLOCK, bytes_in, lowest_bit


@numba.njit
def mask_of(data: np.ndarray, at: int, lowest: int, number: int) -> np.uint64:
    return bytes_in(data, at, np.uint8(lowest), np.uint8(number))  # type: ignore[no-any-return]


@numba.njit
def lowest_of(mask: np.uint64) -> int:
    return lowest_bit(mask)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("lowest", "number"), [(0x20, 1), (0x09, 5), (0, 1), (0x1C, 0), (0x1C, 3), (0xA8, 2), (0, 255), (250, 10)]
)
def test_a_bit_for_each_of_64_bytes_that_is_wanted(lowest: int, number: int) -> None:
    data = np.frombuffer(np.random.default_rng(0).bytes(300), np.uint8)
    wanted = {(lowest + i) % 256 for i in range(number)}
    for at in (0, 1, 17, len(data) - BLOCK):
        expected = sum(1 << i for i in range(BLOCK) if data[at + i] in wanted)
        assert int(mask_of(data, at, lowest, number)) == expected


def test_the_place_of_the_lowest_bit() -> None:
    for place in range(BLOCK):
        assert lowest_of(np.uint64(1 << place)) == lowest_of(np.uint64((1 << 63) | 1 << place)) == place
