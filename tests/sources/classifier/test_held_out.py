"""Precision, recall and AUC are those of their definitions."""

from __future__ import annotations

import numpy as np

from dolmino_cli.sources.classifier.held_out import THRESHOLDS, AtThreshold, judge


def test_the_figures_of_five_documents() -> None:
    judged = judge(np.array([0.9, 0.5, 0.5, 0.2, 0.05]), np.array([True, True, False, False, True]))
    # Of 6 pairs the positives at 0.9 and 0.5 win 2 + 1 and tie one; the one at 0.05 wins none.
    assert (judged.positive, judged.negative, judged.auc) == (3, 2, round(3.5 / 6, 4))
    assert judged.at(0.5) == AtThreshold(threshold=0.5, precision=0.6667, recall=0.6667, f1=0.6667, kept=0.6)
    assert judged.at(0.9) == AtThreshold(threshold=0.9, precision=1.0, recall=0.3333, f1=0.5, kept=0.2)
    assert judged.at(0.95) == AtThreshold(threshold=0.95, precision=None, recall=0.0, f1=0.0, kept=0.0)


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    dice = np.random.default_rng(3)
    scores, positive = dice.integers(0, 20, 300) / 20, dice.random(300) < 0.4
    above = scores[positive][:, None] - scores[~positive][None, :]
    assert judge(scores, positive).auc == round(float((above > 0).mean() + (above == 0).mean() / 2), 4)
    assert [row.threshold for row in judge(scores, positive).thresholds] == list(THRESHOLDS)
