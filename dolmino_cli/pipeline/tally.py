"""What the decisions did, in documents and bytes of text: the figures of the waterfall."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from dolmino_cli.pipeline.agreement import Agreement
from dolmino_cli.recipe import Drop
from dolmino_cli.shards.ledger import LedgerEntry


@dataclass(kw_only=True)
class Step:
    """One way to be dropped: what came to it and what it dropped. Bytes are UTF-8 bytes of the text that was read.

    `near` counts documents whose score lies within the measure's tolerance of the bound.
    """

    reason: str
    documents_in: int = 0
    bytes_in: int = 0
    documents_dropped: int = 0
    bytes_dropped: int = 0
    near: int = 0


@dataclass(kw_only=True)
class StageTally:
    """Counts of a shard or a run: documents in, a step for each way to be dropped, quarantined records.

    `agreements` has, by score, how far an approximate measure's lay from their definition on a sample.
    """

    steps: list[Step]
    documents_in: int = 0
    bytes_in: int = 0
    quarantined: int = 0
    bytes_written: int = 0
    agreements: dict[str, Agreement] = field(default_factory=dict)

    @classmethod
    def of(cls, drops: Sequence[Drop]) -> StageTally:
        """Zero of everything, a step per way to be dropped."""
        return cls(steps=[Step(reason=drop.reason) for drop in drops])

    @property
    def documents_kept(self) -> int:
        """Documents that no decision dropped."""
        return self.documents_in - sum(step.documents_dropped for step in self.steps)

    @property
    def bytes_kept(self) -> int:
        """Bytes of text, as it was read, that no decision dropped."""
        return self.bytes_in - sum(step.bytes_dropped for step in self.steps)

    def retention_percent(self, number: int, of: Literal["arriving", "all"]) -> float | None:
        """Documents that decision `number` kept, of those that came to it or of all; None when none came."""
        step = self.steps[number]
        base = step.documents_in if of == "arriving" else self.documents_in
        return 100 * (step.documents_in - step.documents_dropped) / base if base else None

    @property
    def dropped(self) -> dict[str, int]:
        """Documents dropped, by reason."""
        return {step.reason: step.documents_dropped for step in self.steps}

    def add(self, number: int, *, keeps: np.ndarray, text_bytes: np.ndarray, near: int) -> None:
        """Count decision `number` over the documents that came to it."""
        step = self.steps[number]
        step.documents_in += len(keeps)
        step.bytes_in += int(text_bytes.sum())
        step.documents_dropped += int((~keeps).sum())
        step.bytes_dropped += int(text_bytes[~keeps].sum())
        step.near += near

    def merge(self, other: StageTally) -> None:
        """Add the counts of another shard of the same recipe."""
        assert [s.reason for s in self.steps] == [s.reason for s in other.steps], "tallies of different recipes"
        self.documents_in += other.documents_in
        self.bytes_in += other.bytes_in
        self.quarantined += other.quarantined
        self.bytes_written += other.bytes_written
        for mine, theirs in zip(self.steps, other.steps, strict=True):
            mine.documents_in += theirs.documents_in
            mine.bytes_in += theirs.bytes_in
            mine.documents_dropped += theirs.documents_dropped
            mine.bytes_dropped += theirs.bytes_dropped
            mine.near += theirs.near
        for score, agreement in other.agreements.items():
            self.agreements.setdefault(score, Agreement()).merge(agreement)

    def counts(self) -> dict[str, Any]:
        """Documents, for the ledger: in = kept + dropped + quarantined, and every step's own figures."""
        return {
            "in": self.documents_in + self.quarantined,
            "kept": self.documents_kept,
            "quarantined": self.quarantined,
            "dropped": self.dropped,
            "steps": [vars(step) for step in self.steps],
            **({"agreement": {score: asdict(found) for score, found in self.agreements.items()}} if self.agreements else {}),
        }

    def bytes(self) -> dict[str, int]:
        """Bytes, for the ledger: of text in and kept, and of all files written."""
        return {"text_in": self.bytes_in, "text_kept": self.bytes_kept, "written": self.bytes_written}

    @classmethod
    def of_entry(cls, entry: LedgerEntry) -> StageTally:
        """The tally that a ledger entry was written from."""
        return cls(
            steps=[Step(**step) for step in entry.counts["steps"]],
            documents_in=entry.counts["in"] - entry.counts["quarantined"],
            bytes_in=entry.bytes["text_in"],
            quarantined=entry.counts["quarantined"],
            bytes_written=entry.bytes["written"],
            agreements={score: Agreement(**found) for score, found in entry.counts.get("agreement", {}).items()},
        )


def total(tallies: Iterable[StageTally], drops: Sequence[Drop]) -> StageTally:
    """The sum over shards; zero of everything for no shards."""
    summed = StageTally.of(drops)
    for tally in tallies:
        summed.merge(tally)
    return summed
