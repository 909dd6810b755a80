"""Counters that tasks advance and the parent reads: documents and input bytes, across processes.

Each worker has a place of its own and is the only one that writes to it: there is no lock that a killed worker could keep.
"""

from __future__ import annotations

import threading
from typing import Any

_PLACES = 2  # documents, bytes


class Counters:
    """Running totals of a run. `advance` may be called from any worker; `read` from the parent at any time.

    `retries`: tasks given again because their worker was killed, as the parent counts them.
    """

    def __init__(self, *, workers: int) -> None:
        self._workers = max(workers, 1)
        self.retries = 0
        self._counts: Any = [0] * _PLACES
        if workers > 1:
            from multiprocessing.sharedctypes import RawArray

            self._counts = RawArray("q", _PLACES * workers)

    def read(self) -> tuple[int, int]:
        """(documents, bytes) so far. What a worker that was killed had counted of its task stays in."""
        counts = list(self._counts)
        return sum(counts[::_PLACES]), sum(counts[1::_PLACES])

    def add(self, worker: int, *, documents: int, bytes: int) -> None:
        """Count for worker `worker`, from 0, in its process."""
        place = worker % self._workers * _PLACES
        self._counts[place] += documents
        self._counts[place + 1] += bytes


_current: tuple[Counters, int] | None = None
_lock = threading.Lock()  # between threads of this process


def use(counters: Counters | None, worker: int = 0) -> None:
    """Make `counters` the ones that `advance` adds to in this process, which is worker `worker` of the run."""
    global _current
    _current = None if counters is None else (counters, worker)


def advance(*, documents: int, bytes: int) -> None:
    """Add to the run's counters; does nothing where no run listens (tests, library use)."""
    if _current is None:
        return
    counters, worker = _current
    with _lock:
        counters.add(worker, documents=documents, bytes=bytes)
