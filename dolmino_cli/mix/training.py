"""How a mix is trained on: what a plan counts steps by, and what a trainer takes unless it is told otherwise."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.windows import SEQUENCE_LENGTH


@dataclass(frozen=True, kw_only=True)
class LearningRate:
    """Its endpoints: linear between `start` (the rate of step 0, no warm-up) and `end` (that of the last step)."""

    start: float
    end: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and self.start > 0):
            raise ConfigError(f"learning_rate start is {self.start}; it must be more than 0")
        if not 0 <= self.end <= self.start:
            raise ConfigError(f"learning_rate end is {self.end}; it must be 0 or more and at most start, {self.start}")


@dataclass(frozen=True, kw_only=True)
class Training:
    """A run over the mix: steps of `batch_sequences` windows of `sequence_length` tokens.

    `steps` is where the run stops; None is one epoch. `reference` says where the numbers come from.
    """

    batch_sequences: int
    sequence_length: int = SEQUENCE_LENGTH
    steps: int | None = None
    learning_rate: LearningRate | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        for name in ("batch_sequences", "sequence_length", "steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"training {name} is {value}; it must be at least 1")

    @property
    def batch_tokens(self) -> int:
        """Tokens per step."""
        return self.batch_sequences * self.sequence_length
