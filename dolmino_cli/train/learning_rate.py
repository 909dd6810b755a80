"""The learning rate of every step: linear or constant after a start that is given, or read off the cosine of stage 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from dolmino_cli.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Cosine:
    """The schedule of stage 1, to start at its value of `step`: linear warm-up, then a cosine to `end_fraction` of the peak.

    OLMo 2 1B at step 1,907,359 of a cosine over 5T tokens, after a warm-up over 8.39B (4,000 steps, the others have 2,000):
    7.4487e-5, what its stage 2 starts at (allenai/OLMo, OLMo2-1B-stage1.yaml and OLMo2-1B-stage2-seed42.yaml).
    """

    peak: float
    step: int
    """The step at which stage 1 was left; beyond the cosine's end, where the rate stays what it was there, too."""
    total_steps: int
    """The steps of the whole cosine, warm-up included; stage 1 may have ended before. A length in tokens / tokens per step."""
    warmup_steps: int = 2000
    end_fraction: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_steps < self.total_steps:
            raise ConfigError(f"warmup_steps is {self.warmup_steps}; it must be from 0 to below total_steps, {self.total_steps}")
        if self.step < 0:
            raise ConfigError(f"step is {self.step}; it must be 0 or more")
        if not (math.isfinite(self.peak) and self.peak > 0 and 0 <= self.end_fraction <= 1):
            raise ConfigError(f"peak is {self.peak}, end_fraction {self.end_fraction}; a peak is more than 0, a fraction 0 to 1")

    def rate(self) -> float:
        """The rate of `step`."""
        if self.step < self.warmup_steps:
            return self.peak * self.step / self.warmup_steps
        done = min((self.step - self.warmup_steps) / (self.total_steps - self.warmup_steps), 1.0)
        end = self.peak * self.end_fraction
        return end + (self.peak - end) * (1 + math.cos(math.pi * done)) / 2


@dataclass(frozen=True, kw_only=True)
class LearningRate:
    """`start`, or `start_from` the cosine of stage 1; then linear to `end`, or constant. No warm-up, as both papers ran."""

    start: float | None = None
    start_from: Cosine | None = None
    schedule: Literal["linear", "constant"] = "linear"
    end: float = 0.0
    """What a linear one falls to; a constant one has none."""

    decay_steps: int | None = None
    """Steps until `end` is reached, where it stays. None: the steps of the run."""

    decay_tokens: int | None = None
    """The same in tokens, as Olmo 2's configs have it (50e9: step 11,920.9 of the 7B's batches)."""

    step_offset: Literal[0, 1] = 1
    """1: step s is trained at the rate of s / N, so that the last step's is `end` (allenai/OLMo, train.py:876,1210). 0: of
    (s - 1) / N, so that the first step's is `start`."""

    def __post_init__(self) -> None:
        if (self.start is None) == (self.start_from is None):
            raise ConfigError("learning_rate has both start and start_from, or neither; give one of them")
        if not (math.isfinite(self.first) and self.first > 0):
            raise ConfigError(f"learning_rate start is {self.first}; it must be more than 0")
        if self.schedule == "constant" and (self.end or self.decay_steps or self.decay_tokens):
            raise ConfigError("learning_rate schedule is constant, which has no end, decay_steps or decay_tokens; remove them")
        if not 0 <= self.end <= self.first:
            raise ConfigError(f"learning_rate end is {self.end}; it must be 0 or more and at most its start, {self.first}")
        if self.decay_steps is not None and self.decay_tokens is not None:
            raise ConfigError("learning_rate has decay_steps and decay_tokens; give one of them")
        for name in ("decay_steps", "decay_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"learning_rate {name} is {value}; it must be at least 1")

    @property
    def first(self) -> float:
        """The rate that the schedule starts from."""
        if self.start_from is not None:
            return self.start_from.rate()
        assert self.start is not None
        return self.start

    def rate(self, step: int, *, steps: int, batch_tokens: int) -> float:
        """The rate that step `step` (the first is 1) of a run of `steps` is trained at."""
        if self.schedule == "constant":
            return self.first
        length = self.decay_tokens / batch_tokens if self.decay_tokens is not None else float(self.decay_steps or steps)
        done = min((step - 1 + self.step_offset) / length, 1.0)
        return self.first + (self.end - self.first) * done
