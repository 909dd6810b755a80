"""Which updates are left out is OLMo-core's rule, step by step."""

from __future__ import annotations

import random
import statistics

import torch

from dolmino_cli.train.run_file import SkipStep
from dolmino_cli.train.skip_step import SkipHistory


def left_out_by_hand(losses: list[float], norms: list[float], *, window: int, sigmas: float) -> list[int]:
    """SkipStepOptimizer: the steps before, at most a window; none while those and this one are fewer than 20 or half of it."""
    found = []
    for step in range(len(losses)):
        first = max(step - window, 0)
        if step + 1 < max(20, window // 2):
            continue
        for values in (losses, norms):
            before = values[first:step]
            if not values[step] - statistics.fmean(before) <= sigmas * statistics.stdev(before):
                found.append(step + 1)
                break
    return found


def test_left_out_steps_are_olmo_cores() -> None:
    rng = random.Random(2)
    losses = [rng.gauss(3, 0.1) + (2 if rng.random() < 0.03 else 0) for _ in range(200)]
    norms = [rng.gauss(1, 0.2) - (1 if rng.random() < 0.03 else 0) + (3 if rng.random() < 0.02 else 0) for _ in range(200)]
    losses[150] = float("nan")
    del losses[151:], norms[151:]
    for window in (16, 128):
        history = SkipHistory(SkipStep(window=window, sigmas=3.0), torch.device("cpu"))
        steps = [
            step
            for step in range(1, 152)
            if history.far_above(step, torch.tensor(losses[step - 1]), torch.tensor(norms[step - 1]))
        ]
        assert steps == left_out_by_hand(losses, norms, window=window, sigmas=3.0)
        assert len(steps) > 3
        assert steps[-1] == 151
