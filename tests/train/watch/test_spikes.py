"""The spike score is the definition, value by value."""

from __future__ import annotations

import math
import random

from dolmino_cli.train.watch.spikes import SpikeScore


def score_by_hand(values: list[float]) -> float:
    """For each value: the up to 1,000 before it, at least 100; seven of their standard deviations from their mean."""
    spikes = 0
    for place, value in enumerate(values):
        before = values[max(place - 1000, 0) : place]
        if len(before) >= 100:
            mean = math.fsum(before) / len(before)
            deviation = math.sqrt(math.fsum((other - mean) ** 2 for other in before) / len(before))
            spikes += abs(value - mean) >= 7 * deviation > 0
    return 100 * spikes / len(values)


def test_score_is_the_definition() -> None:
    rng = random.Random(1)
    values = [rng.gauss(3, 0.1) + (rng.choice((-2, 2)) if rng.random() < 0.01 else 0) for _ in range(1200)]
    score = SpikeScore()
    found = sum(score.add(value) for value in values)
    assert found > 5
    assert score.percent == 100 * found / 1200 == score_by_hand(values)


def test_a_run_that_goes_on_has_the_same_score() -> None:
    values = [float(i % 7) for i in range(200)] + [500.0] + [float(i % 7) for i in range(50)]
    whole, resumed = SpikeScore(values), SpikeScore(values[:150])
    for value in values[150:]:
        resumed.add(value)
    assert whole.percent == resumed.percent == 100 / 251


def test_values_that_do_not_differ_and_those_that_are_not_finite_are_no_spikes() -> None:
    score = SpikeScore([2.0] * 200)
    assert not score.add(2.1)
    assert not score.add(float("nan"))
    assert score.percent == 0
