"""Counters that tasks advance and the parent reads: documents, input bytes and requests tried again, across processes.

Each worker has a place of its own and is the only one that writes to it: there is no lock that a killed worker could keep.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

from dolmino_cli.shards import s3_troubles
from dolmino_cli.shards.s3_troubles import KINDS, Troubles

_TROUBLES = 2  # after documents and bytes: requests tried again by kind, then milliseconds waited
_PLACES = _TROUBLES + len(KINDS) + 1


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
            s3_troubles.count_also(self.troubles)

    @property
    def shared(self) -> bool:
        """Do other processes count here, too?"""
        return self._workers > 1

    def read(self) -> tuple[int, int]:
        """(documents, bytes) so far. What a worker that was killed had counted of its task stays in."""
        counts = list(self._counts)
        return sum(counts[::_PLACES]), sum(counts[1::_PLACES])

    def add(self, worker: int, *, documents: int, bytes: int) -> None:
        """Count for worker `worker`, from 0, in its process."""
        place = worker % self._workers * _PLACES
        self._counts[place] += documents
        self._counts[place + 1] += bytes

    def add_troubles(self, worker: int, troubles: Troubles) -> None:
        """Count requests to S3 that worker `worker` tried again; `s3_troubles.take` in the parent gives them."""
        place = worker % self._workers * _PLACES + _TROUBLES
        with _lock:
            for number, kind in enumerate(KINDS):
                self._counts[place + number] += troubles.requests.get(kind, 0)
            self._counts[place + len(KINDS)] += round(troubles.waited_seconds * 1000)

    def troubles(self) -> Troubles:
        """What workers told `add_troubles` so far."""
        counts = list(self._counts)
        requests = {kind: sum(counts[_TROUBLES + number :: _PLACES]) for number, kind in enumerate(KINDS)}
        return Troubles(requests=requests, waited_seconds=sum(counts[_TROUBLES + len(KINDS) :: _PLACES]) / 1000)


_current: tuple[Counters, int] | None = None
_lock = threading.Lock()  # between threads of this process


def use(counters: Counters | None, worker: int = 0) -> None:
    """Make `counters` the ones that `advance` adds to in this process, which is worker `worker` of the run; and, where other
    processes count there, too, the ones of requests to S3 that are tried again.
    """
    global _current
    _current = None if counters is None else (counters, worker)
    s3_troubles.report_to(partial(counters.add_troubles, worker) if counters is not None and counters.shared else None)


def advance(*, documents: int, bytes: int) -> None:
    """Add to the run's counters; does nothing where no run listens (tests, library use)."""
    if _current is None:
        return
    counters, worker = _current
    with _lock:
        counters.add(worker, documents=documents, bytes=bytes)
