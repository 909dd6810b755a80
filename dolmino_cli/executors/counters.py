"""Counters that tasks advance and the parent reads: documents, input bytes, requests tried again, across processes."""

from __future__ import annotations

import threading
from typing import Any

from dolmino_cli.shards import s3_troubles
from dolmino_cli.shards.s3_troubles import Troubles

_WAITED = "milliseconds waited"


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
        self._troubles: dict[str, Any] | None = None
        if workers > 1:
            # Shared memory starts a tracker process, a tenth of a second that one worker need not pay.
            import multiprocessing

            context = multiprocessing.get_context("forkserver")
            self.documents, self.bytes = context.Value("q", 0), context.Value("q", 0)
            self._troubles = {name: context.Value("q", 0) for name in (*s3_troubles.KINDS, _WAITED)}
            s3_troubles.count_also(self.troubles)

    def read(self) -> tuple[int, int]:
        """(documents, bytes) so far."""
        return self.documents.value, self.bytes.value

    def add_troubles(self, troubles: Troubles) -> None:
        """Requests to S3 that a worker tried again; `s3_troubles.take` in the parent gives them."""
        if self._troubles is None:
            s3_troubles.add(troubles)
            return
        for kind, requests in troubles.requests.items():
            _add(self._troubles[kind], requests)
        _add(self._troubles[_WAITED], round(troubles.waited_seconds * 1000))

    def troubles(self) -> Troubles:
        """What `add_troubles` was told by other processes so far."""
        counts = {kind: count.value for kind, count in (self._troubles or {}).items()}
        waited_seconds = counts.pop(_WAITED, 0) / 1000
        return Troubles(requests=counts, waited_seconds=waited_seconds)


def _add(count: Any, number: int) -> None:
    with count.get_lock():
        count.value += number


_current: Counters | None = None


def use(counters: Counters | None) -> None:
    """Make `counters` the ones that `advance`, and requests to S3 that are tried again, add to in this process."""
    global _current
    _current = counters
    shared = counters is not None and counters._troubles is not None
    s3_troubles.report_to(counters.add_troubles if counters is not None and shared else None)


def advance(*, documents: int, bytes: int) -> None:
    """Add to the run's counters; does nothing where no run listens (tests, library use)."""
    if _current is None:
        return
    _add(_current.documents, documents)
    _add(_current.bytes, bytes)
