"""Counters that tasks advance and the parent reads: documents and input bytes, across processes."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Counters:
    """Running totals of a run. `advance` may be called from any worker; `read` from the parent at any time."""

    documents: Any
    bytes: Any

    @classmethod
    def shared(cls, context: multiprocessing.context.BaseContext) -> Counters:
        """Counters at zero, in memory that processes started from `context` share."""
        return cls(documents=context.Value("q", 0), bytes=context.Value("q", 0))

    def read(self) -> tuple[int, int]:
        """(documents, bytes) so far."""
        return self.documents.value, self.bytes.value


_current: Counters | None = None


def use(counters: Counters | None) -> None:
    """Make `counters` the ones that `advance` adds to in this process."""
    global _current
    _current = counters


def advance(*, documents: int, bytes: int) -> None:
    """Add to the run's counters; does nothing where no run listens (tests, library use)."""
    if _current is None:
        return
    with _current.documents.get_lock():
        _current.documents.value += documents
    with _current.bytes.get_lock():
        _current.bytes.value += bytes
