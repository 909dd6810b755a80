"""How well scores tell positive from negative documents: precision and recall by threshold, and the area under the ROC curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class AtThreshold:
    """What keeping scores of `threshold` or more gives. All shares are 0 to 1, to 4 digits."""

    threshold: float
    precision: float | None
    """Of the documents kept, the share that is positive; None where none is kept."""
    recall: float
    """Of the positive documents, the share that is kept."""
    f1: float
    """Harmonic mean of precision and recall; 0 where no positive document is kept."""
    kept: float
    """Of all documents, the share that is kept."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Scores of held-out documents against their labels."""

    positive: int
    negative: int
    auc: float
    """How often a positive document scores above a negative one, a tie counting half (the area under the ROC curve)."""
    thresholds: tuple[AtThreshold, ...]

    def at(self, threshold: float) -> AtThreshold:
        """The row of one of THRESHOLDS."""
        return next(row for row in self.thresholds if row.threshold == threshold)


def judge(scores: np.ndarray, positive: np.ndarray) -> Judged:
    """Judge `scores` (float64) of documents that are `positive` (bool) or not; there must be some of both."""
    ranks = _ranks(scores)
    count, others = int(positive.sum()), int((~positive).sum())
    auc = (ranks[positive].sum() - count * (count + 1) / 2) / (count * others)
    rows = tuple(_at(threshold, scores >= threshold, positive) for threshold in THRESHOLDS)
    return Judged(positive=count, negative=others, auc=round(float(auc), _DIGITS), thresholds=rows)


def _at(threshold: float, kept: np.ndarray, positive: np.ndarray) -> AtThreshold:
    right, chosen, wanted = int((kept & positive).sum()), int(kept.sum()), int(positive.sum())
    return AtThreshold(
        threshold=threshold,
        precision=round(right / chosen, _DIGITS) if chosen else None,
        recall=round(right / wanted, _DIGITS),
        f1=round(2 * right / (chosen + wanted), _DIGITS),
        kept=round(chosen / len(kept), _DIGITS),
    )


def _ranks(scores: np.ndarray) -> np.ndarray:
    """1 for the lowest score; equal scores share the mean of their ranks."""
    _, group, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: np.ndarray = (ends - (counts - 1) / 2)[group]
    return ranks
