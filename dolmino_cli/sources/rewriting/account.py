"""What was asked and what it cost, in the server's own counts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from dolmino_cli.errors import ConfigError
from dolmino_cli.sources.rewriting.outcome import Outcome

MAYBE_CHARGED = ("timeout", "connection lost", "truncated answer", "unreadable answer")
"""Causes of a retry after which a model may have worked, and the endpoint may have charged, without an answer arriving."""


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Money per million tokens, in whatever currency the user thinks; None where it is not known."""

    input: float | None = None
    output: float | None = None

    def __post_init__(self) -> None:
        for option, price in (("--input-price", self.input), ("--output-price", self.output)):
            if price is not None and not 0 <= price < math.inf:
                raise ConfigError(f"{option} {price:g}; allowed: 0 or more")

    def cost(self, prompt_tokens: float, completion_tokens: float) -> float | None:
        """The price of that many tokens; None unless both prices are known."""
        if self.input is None or self.output is None:
            return None
        return (prompt_tokens * self.input + completion_tokens * self.output) / 1e6


@dataclass(kw_only=True)
class Account:
    """Sums over stored answers, over all runs that made them.

    `tokens_unstated` counts answers whose server stated no usage: they are in no sum of tokens. `retries` counts by cause the
    tries that brought nothing.
    """

    answers: int = 0
    refusals: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tokens_unstated: int = 0
    answer_seconds: float = 0.0
    retries: Counter[str] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        """HTTP requests made, those without an answer included."""
        return self.answers + self.refusals + self.retries.total()

    @property
    def maybe_charged(self) -> int:
        """Requests that may have been charged without their answer arriving."""
        return sum(self.retries[cause] for cause in MAYBE_CHARGED)

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.retries.update(outcome.tries)
        if outcome.kind == "gave_up":
            return
        if outcome.kind != "answer":
            self.refusals += 1
            return
        self.answers += 1
        self.answer_seconds += outcome.seconds
        self.tokens_unstated += outcome.prompt_tokens is None or outcome.completion_tokens is None
        self.prompt_tokens += outcome.prompt_tokens or 0
        self.completion_tokens += outcome.completion_tokens or 0

    def merge(self, other: Account) -> None:
        """Add another shard's."""
        self.answers += other.answers
        self.refusals += other.refusals
        self.prompt_tokens += other.prompt_tokens
        self.completion_tokens += other.completion_tokens
        self.tokens_unstated += other.tokens_unstated
        self.answer_seconds += other.answer_seconds
        self.retries.update(dict(other.retries))  # copied in one step: a thread may be adding to it

    def recorded(self) -> dict[str, Any]:
        """For the ledger and run.json."""
        return {**asdict(self), "retries": dict(self.retries), "answer_seconds": round(self.answer_seconds, 3)}

    @classmethod
    def of(cls, recorded: dict[str, Any]) -> Account:
        """The account that `recorded` was made of."""
        return cls(**{**recorded, "retries": Counter(recorded["retries"])})


def total(accounts: Iterable[Account]) -> Account:
    """The sum."""
    summed = Account()
    for account in accounts:
        summed.merge(account)
    return summed
