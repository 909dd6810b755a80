"""Which sequences go through a model together: of like length, so that almost no padding is computed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

MOST_PADDING = 0.04  # of a batch's places


def length_batches(lengths: np.ndarray, batch_tokens: int) -> Iterator[np.ndarray]:
    """Positions in `lengths` (int, each >= 1), cut into batches, longest sequences first; every position stands in one.

    A batch has at most `batch_tokens` places (sequences x its longest; one sequence may have more), and at most
    `MOST_PADDING` of them are padding. The same lengths give the same batches.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        width = int(lengths[order[start]])
        candidates = order[start : start + max(1, batch_tokens // width)]
        # Adding shorter ones only adds padding per place, so the longest prefix within the bound is the batch.
        padding = 1 - np.cumsum(lengths[candidates]) / (width * np.arange(1, len(candidates) + 1))
        count = max(1, int(np.searchsorted(padding, MOST_PADDING, side="right")))
        yield candidates[:count]
        start += count


def pad_rows(ids: np.ndarray, offsets: np.ndarray, rows: np.ndarray, pad_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Sequences `rows` of the concatenated `ids` as one rectangle (int64), padded at the end, and where it is not padding (bool).

    Sequence i is `ids[offsets[i] : offsets[i + 1]]`.
    """
    starts, lengths = offsets[rows], offsets[rows + 1] - offsets[rows]
    places = np.arange(int(lengths.max()))
    real = places < lengths[:, None]
    padded = np.full(real.shape, pad_id, np.int64)
    padded[real] = ids[(starts[:, None] + places)[real]]
    return padded, real
