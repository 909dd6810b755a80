"""The rate of a step: OLMo's step 1 is one step down already, and its last 11 of 11,931 change nothing."""

from __future__ import annotations

import pytest

from dolmino_cli.errors import ConfigError
from dolmino_cli.train.learning_rate import Cosine, LearningRate


def test_linear_as_olmo_counts() -> None:
    """Step s of N trains at (1 - s / N): the first is below the start, the last is 0."""
    rate = LearningRate(start=8.0)
    assert [rate.rate(step, steps=4, batch_tokens=1) for step in (1, 2, 3, 4)] == [6.0, 4.0, 2.0, 0.0]


def test_linear_from_the_start() -> None:
    rate = LearningRate(start=8.0, end=4.0, step_offset=0)
    assert [rate.rate(step, steps=4, batch_tokens=1) for step in (1, 2, 3, 4)] == [8.0, 7.0, 6.0, 5.0]


def test_decay_in_tokens_ends_before_the_run() -> None:
    """OLMo2-7B stage 2: 50e9 tokens are 11,920.9 steps of 1024 x 4096; it stops at 11,931, so 11 steps have rate 0."""
    rate = LearningRate(start=6.1499e-5, decay_tokens=50_000_000_000)
    rates = [rate.rate(step, steps=11_931, batch_tokens=1024 * 4096) for step in range(1, 11_932)]
    assert sum(value == 0 for value in rates) == 11
    assert rates[0] == pytest.approx(6.1499e-5 * (1 - 1024 * 4096 / 50e9))


def test_constant() -> None:
    """LLM-jp: 3e-5 throughout."""
    assert {LearningRate(start=3e-5, schedule="constant").rate(step, steps=9, batch_tokens=1) for step in range(1, 10)} == {3e-5}


def test_start_of_a_cosine() -> None:
    """OLMo2 13B left its cosine at the end, at 10 % of 9e-4."""
    assert LearningRate(start_from=Cosine(peak=9e-4, step=500, total_steps=500, warmup_steps=5)).first == pytest.approx(9e-5)
    assert Cosine(peak=2.0, step=5, total_steps=100, warmup_steps=10).rate() == 1.0
    assert Cosine(peak=2.0, step=55, total_steps=100, warmup_steps=10, end_fraction=0.0).rate() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "both start and start_from, or neither"),
        ({"start": 1.0, "start_from": Cosine(peak=1.0, step=1, total_steps=10, warmup_steps=1)}, "both start and start_from"),
        ({"start": 0.0}, "must be more than 0"),
        ({"start": 1.0, "end": 2.0}, "at most its start"),
        ({"start": 1.0, "schedule": "constant", "decay_steps": 5}, "remove them"),
        ({"start": 1.0, "decay_steps": 5, "decay_tokens": 5}, "give one of them"),
        ({"start": 1.0, "decay_steps": 0}, "at least 1"),
    ],
)
def test_refused(given: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        LearningRate(**given)  # type: ignore[arg-type]
