"""Batches of like length: every sequence once, within the size, and hardly any padding."""

from __future__ import annotations

import numpy as np
import pytest

from dolmino_cli.kernels.length_batches import MOST_PADDING, length_batches, pad_rows


@pytest.mark.parametrize("batch_tokens", [1, 512, 8192, 32_768])
def test_padding_is_bounded_and_nothing_is_lost(batch_tokens: int) -> None:
    dice = np.random.default_rng(4)
    lengths = np.minimum(512, np.exp(dice.normal(5.8, 1.1, 3000)).astype(np.int64) + 2)
    batches = list(length_batches(lengths, batch_tokens))
    assert sorted(np.concatenate(batches).tolist()) == list(range(3000))
    places = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    assert 1 - lengths.sum() / places < MOST_PADDING < 0.05
    assert all(len(batch) == 1 or len(batch) * lengths[batch].max() <= batch_tokens for batch in batches)


def test_batches_in_full() -> None:
    lengths = np.array([10, 100, 99, 3, 100, 10])
    assert [batch.tolist() for batch in length_batches(lengths, 300)] == [[1, 4, 2], [0, 5], [3]]
    assert list(length_batches(np.array([], np.int64), 300)) == []


def test_rows_are_padded_at_the_end() -> None:
    ids = np.array([7, 8, 9, 5, 6, 4], np.int32)
    padded, real = pad_rows(ids, np.array([0, 3, 5, 6]), np.array([0, 2]), 1)
    assert padded.tolist() == [[7, 8, 9], [4, 1, 1]]
    assert real.tolist() == [[True, True, True], [True, False, False]]
