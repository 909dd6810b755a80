"""How often requests to S3 had to be tried again in this process, and why: throttling is reported, not hidden."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

KINDS = ("SlowDown", "503", "500", "timeout", "reset", "short", "no connection")
"""Why a request was tried again. `SlowDown`: too many requests for the store; `503`: unavailable, by whatever gateway (502, 504);
`short`: the body ended before its end; `reset`: the connection did before an answer came."""


@dataclass(frozen=True, kw_only=True)
class Troubles:
    """Requests tried again by kind, and the seconds waited before trying, summed over threads."""

    requests: Mapping[str, int]
    waited_seconds: float

    def __add__(self, other: Troubles) -> Troubles:
        requests = Counter(self.requests)
        requests.update(other.requests)
        return Troubles(requests=dict(requests), waited_seconds=self.waited_seconds + other.waited_seconds)

    def __sub__(self, earlier: Troubles) -> Troubles:
        requests = {kind: count - earlier.requests.get(kind, 0) for kind, count in self.requests.items()}
        return Troubles(requests=requests, waited_seconds=self.waited_seconds - earlier.waited_seconds)

    def __bool__(self) -> bool:
        return any(self.requests.values())

    def __str__(self) -> str:
        total = sum(self.requests.values())
        kinds = sorted((kind for kind in KINDS if self.requests.get(kind)), key=lambda kind: -self.requests[kind])
        named = ", ".join(f"{self.requests[kind]:,} {kind}" for kind in kinds)
        what = "request was" if total == 1 else "requests were"
        return f"S3: {total:,} {what} tried again ({named}), {self.waited_seconds:,.0f} s waited"


_lock = threading.Lock()
_so_far = Troubles(requests={}, waited_seconds=0.0)
_ever = _so_far
_elsewhere: list[Callable[[], Troubles]] = []
_listener: Callable[[Troubles], None] | None = None


def note(kind: str, waited_seconds: float) -> None:
    """One request is tried again after a wait."""
    global _ever
    noted = Troubles(requests={kind: 1}, waited_seconds=waited_seconds)
    with _lock:
        _ever += noted
    (_listener or add)(noted)


def ever() -> Troubles:
    """All that was noted in this process since it began; `take` and `report_to` change nothing about it."""
    return _ever


def add(troubles: Troubles) -> None:
    """Count for this process."""
    global _so_far
    with _lock:
        _so_far += troubles


def so_far() -> Troubles:
    """All that was noted since the last `take`, in this process and where `count_also` says."""
    with _lock:
        return sum((count() for count in _elsewhere), _so_far)


def take() -> Troubles:
    """As `so_far`; counting begins anew."""
    global _so_far
    with _lock:
        taken = sum((count() for count in _elsewhere), _so_far)
        _so_far = Troubles(requests={}, waited_seconds=0.0)
        _elsewhere.clear()
    return taken


def count_also(troubles: Callable[[], Troubles]) -> None:
    """Have the next `take` add what other processes noted."""
    _elsewhere.append(troubles)


def report_to(listener: Callable[[Troubles], None] | None) -> None:
    """Have `listener` told instead of counting here: a worker's troubles are its run's. None: count here."""
    global _listener
    _listener = listener
