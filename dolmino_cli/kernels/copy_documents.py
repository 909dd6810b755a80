"""Bring documents of one token buffer into another order: the inner loop of writing a shuffled mix."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(
    [
        "void(Array(u2, 1, 'C', readonly=True), i8[::1], i8[::1], u2[::1])",
        "void(Array(u4, 1, 'C', readonly=True), i8[::1], i8[::1], u4[::1])",
    ],
    cache=True,
    nogil=True,
)
def copy_documents(tokens: np.ndarray, starts: np.ndarray, lengths: np.ndarray, out: np.ndarray) -> None:
    """Write tokens[starts[i] : starts[i] + lengths[i]] for each i one after another into `out`, which must hold them all."""
    position = 0
    for i in range(len(starts)):
        length = lengths[i]
        out[position : position + length] = tokens[starts[i] : starts[i] + length]
        position += length
