"""What the processes of a divided run know of each other: which tasks of a phase are done, begun, or failed. In the output."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dolmino_cli.errors import DolminoError
from dolmino_cli.executors import failures
from dolmino_cli.executors.executor import Phase
from dolmino_cli.executors.failures import WorkersKilled
from dolmino_cli.executors.leases import FOLDER as LEASES
from dolmino_cli.executors.leases import Leases
from dolmino_cli.shards.listed import ages
from dolmino_cli.shards.output import Output

MOST_TRIES = 3
# More than of local workers: whole processes end for other reasons than their task, too (preemption, time limits).
MOST_DEATHS = 5
_ASKED_AT_ONCE = 32
# Of ages: S3 gives times in whole seconds, those of its clock and those of its objects.
_ROUNDED_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A task as a divided run knows it. Tasks of one name (several work on one large shard) have a lease each."""

    task: Any
    name: str
    lease: str
    own: bool


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a process made of a piece. `by_me` is False where another has it or has done it: then there is no result."""

    by_me: bool
    result: Any = None


@dataclass(frozen=True, kw_only=True)
class Records:
    """Where finished tasks of a phase are recorded: `NAME.json` in `folder`, which is empty where only the caller can tell."""

    output: Output
    folder: str

    def has(self, name: str) -> bool:
        """Is the task recorded, as far as a look without the caller tells? One request."""
        return bool(self.folder) and self.output.exists(f"{self.folder}/{name}.json")


@dataclass(frozen=True, kw_only=True)
class UnderLease:
    """A task's function with the task's lease around it; picklable, for workers."""

    function: Callable[[Any], Any]
    records: Records
    expiry_seconds: float

    def __call__(self, piece: Piece) -> Done | DolminoError:
        """Do the task, unless another process has it or has done it, or too many that had it were killed."""
        lease = Leases(self.records.output, expiry_seconds=self.expiry_seconds).take(piece.lease)
        if lease is None:
            return Done(by_me=False)
        with lease:
            if self.records.has(piece.name):
                return Done(by_me=False)
            if lease.deaths >= MOST_DEATHS:
                return WorkersKilled(piece.name, deaths=lease.deaths, how="the whole process each time")
            result = self.function(piece.task)
            if isinstance(result, DolminoError):
                return result
            # Without a result, it helped with a task of this name, which is not done.
            return Done(by_me=result is not None, result=result)


@dataclass(kw_only=True)
class Board:
    """The state of a phase, as one listing each of its records, leases and failures tells it. `look` reads it anew."""

    records: Records
    phase: Phase
    pieces: Sequence[Piece]
    expiry_seconds: float

    def __post_init__(self) -> None:
        self._leases = Leases(self.records.output, expiry_seconds=self.expiry_seconds)
        self.done: set[str] = set()
        self.failed: dict[str, failures.Failure] = {}
        self._held: dict[str, float] = {}
        self._first_seen: dict[str, float] = {}
        self._looked_at_leases = 0.0
        self._asked: dict[str, bool] = {}
        self.seconds = self._looked_at_failures = 0.0
        self.look()
        self._failed_before = dict(self.failed)

    def look(self) -> None:
        """Read the state anew. `seconds` is what that took. Raises StorageError."""
        started = time.monotonic()
        output = self.records.output
        # Leases first: one that is given back meanwhile is then found among what is done.
        self._held = {
            f"{self.phase.name}/{name}": age for name, age in ages(output, f"{LEASES}/{self.phase.name}", ".json").items()
        }
        self._first_seen = {name: self._first_seen.get(name, started) for name in self._held}
        self._looked_at_leases = started
        self._asked = {name: was_silent for name, was_silent in self._asked.items() if name in self._held}
        self.done |= self._look_at_records()
        self.failed = self._look_at_failures()
        self.seconds = time.monotonic() - started

    def _look_at_records(self) -> set[str]:
        if self.records.folder:
            return set(ages(self.records.output, self.records.folder, ".json"))
        unknown = {piece.name: piece.task for piece in self.pieces if piece.name not in self.done}
        return {name for name, task in unknown.items() if self._recorded(task) is not None}

    def _look_at_failures(self) -> dict[str, failures.Failure]:
        looked, self._looked_at_failures = self._looked_at_failures, time.monotonic()
        found = {}
        for name, age in ages(self.records.output, failures.FOLDER, ".json").items():
            known = self.failed.get(name)
            # Only what is new is read: all tasks may have failed. Ages are rounded to seconds, and listings take some.
            one = known if known and age > time.monotonic() - looked + 5 else failures.recorded(self.records.output, name)
            if one is not None and one.phase == self.phase.name:
                found[name] = one
        return found

    def held(self, piece: Piece) -> bool:
        """Has another process begun it, as far as is known?"""
        age = self._held.get(piece.lease)
        return age is not None and age <= self.expiry_seconds and not self._is_gone(piece.lease)

    def surely_held(self, piece: Piece) -> bool:
        """Is it held by a process that is alive: was its lease renewed in time, and since it was first seen here?"""
        age = self._held.get(piece.lease)
        if age is None or age > self._leases.renewed_every_seconds + _ROUNDED_SECONDS:
            return False
        # As of when leases were listed: the records, which are listed after them, may take longer than a second.
        return age < self._looked_at_leases - self._first_seen[piece.lease] - _ROUNDED_SECONDS

    def find_left_behind(self, pieces: Sequence[Piece]) -> bool:
        """Of pieces that are held, see which a process of this machine left behind that has ended: they are not held any more.

        Returns whether there are some. For who has nothing else to do: on S3 it is a request for each lease, its own share's
        first, once, and once more when it was not renewed. (Local leases are looked at by `held`.)
        """
        if not self.records.output.is_s3:
            return False
        silent_seconds = self._leases.renewed_every_seconds + _ROUNDED_SECONDS
        held = [piece.lease for piece in sorted(pieces, key=lambda piece: not piece.own) if piece.lease in self._held]
        silent = {lease: self._held[lease] > silent_seconds for lease in held}
        asked = [lease for lease in held if self._asked.get(lease) != silent[lease]][:_ASKED_AT_ONCE]
        left = [lease for lease in asked if self._leases.is_left_behind(lease)]
        for lease in left:
            del self._held[lease]
        self._asked |= {lease: silent[lease] for lease in asked if lease in self._held}
        return bool(left)

    def _is_gone(self, lease: str) -> bool:
        return not self.records.output.is_s3 and self._leases.is_free(lease)

    def exhausted(self, piece: Piece) -> bool:
        """Has it failed so often that it is not tried again? Of its own share, a process tries once more what failed before."""
        failure = self.failed.get(piece.name)
        return failure is not None and failure.tries >= MOST_TRIES and not (piece.own and self._as_before(piece))

    def _as_before(self, piece: Piece) -> bool:
        """Has it not failed again since this process began?"""
        return self.failed.get(piece.name) == self._failed_before.get(piece.name)

    def forget(self, piece: Piece) -> None:
        """Remove the record of earlier failures, after a success."""
        if piece.name in self.failed:
            failures.forget(self.records.output, piece.name)

    def result(self, piece: Piece) -> Any | None:
        """Of a task that some process finished."""
        return self._recorded(piece.task)

    def _recorded(self, task: Any) -> Any | None:
        assert self.phase.recorded is not None, f"nobody records the tasks of the phase {self.phase.name}"
        return self.phase.recorded(task)
