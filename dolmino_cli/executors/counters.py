"""Counters that tasks advance and the parent reads: documents and input bytes, across processes."""

from __future__ import annotations

import threading
from typing import Any


class _Count:
    """A number with a lock, as multiprocessing.Value has it, for one process."""

    def __init__(self) -> None:
        self.value = 0
        self._lock = threading.Lock()

    def get_lock(self) -> threading.Lock:
        return self._lock


class Counters:
    """Running totals of a run. `advance` may be called from any worker; `read` from the parent at any time."""

    def __init__(self, *, workers: int) -> None:
        self.documents: Any = _Count()
        self.bytes: Any = _Count()
        if workers > 1:
            # Shared memory starts a tracker process, a tenth of a second that one worker need not pay.
            import multiprocessing

            context = multiprocessing.get_context("forkserver")
            self.documents, self.bytes = context.Value("q", 0), context.Value("q", 0)

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
