"""Leases: of several processes that are given one task by accident, one does it. In the output, so that all machines see them.

    leases = Leases(output)
    lease = leases.take("shards/web-0001.jsonl")     # None: somebody else is at it
    with lease:
        ...
        lease.check()                                # before anything is published: raises LeaseLost where it was taken over

A lease saves work, and is not what results depend on: outputs have names and bytes that depend on the task alone, so that two
that do write both give the same. It is kept alive by a thread; one that was not for `EXPIRY_SECONDS`, or whose process on this
machine is gone, is taken over. Ages are by the store's own clock: machines' clocks may differ.
"""

from __future__ import annotations

import json
import socket
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from dolmino_cli.errors import StorageError
from dolmino_cli.shards.output import Output
from dolmino_cli.shards.owner import is_gone, owner

FOLDER = "leases"
EXPIRY_SECONDS = 90.0
_RENEWALS_PER_EXPIRY = 4


class LeaseLost(StorageError):
    """Another process took the task over, because this one was silent for too long."""


class Leases:
    """The leases of a run, as files `leases/<name>.json` of its output."""

    def __init__(self, output: Output, *, expiry_seconds: float = EXPIRY_SECONDS) -> None:
        self.output, self.expiry_seconds = output, expiry_seconds

    def take(self, name: str) -> Lease | None:
        """The lease of `name`, or None where another process that is alive, or may be, has it. Raises StorageError."""
        file = f"{FOLDER}/{name}.json"
        mark, deaths = _mark(deaths=0), 0
        if not self.output.put_new(file, mark):
            found = self.output.read(file)
            if found is not None:
                if not self._expired(file, found):
                    return None
                before = parsed(found).get("deaths")
                deaths = (before if isinstance(before, int) else 0) + 1
                mark = _mark(deaths=deaths)
            # Of several that see it expired, one removes it; the others then find the new one.
            if not self.output.remove_if(file, found) or not self.output.put_new(file, mark):
                return None
        return Lease(self, name, mark, deaths=deaths)

    def holder(self, name: str) -> str | None:
        """The content of a lease: JSON with `owner`, `host`, `since` (UTC, ISO 8601), `deaths`; None where there is none."""
        data = self.output.read(f"{FOLDER}/{name}.json")
        return None if data is None else data.decode(errors="replace")

    def is_free(self, name: str) -> bool:
        """Is there none, or one whose process has ended, as far as this machine can tell? Costs a request or two."""
        holder = self.holder(name)
        return holder is None or self._expired(f"{FOLDER}/{name}.json", holder)

    def is_left_behind(self, name: str) -> bool:
        """Has the process that holds it ended, on this machine? One request; False also where there is none."""
        return is_gone(str(parsed(self.holder(name)).get("owner"))) is True

    @property
    def renewed_every_seconds(self) -> float:
        """How often a process that is alive says so."""
        return self.expiry_seconds / _RENEWALS_PER_EXPIRY

    def _expired(self, file: str, holder: str | bytes) -> bool:
        gone = is_gone(str(parsed(holder).get("owner")))
        if gone is not None:
            return gone
        age_seconds = self.output.age_seconds(file)
        return age_seconds is not None and age_seconds > self.expiry_seconds


def _mark(*, deaths: int) -> bytes:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"owner": owner(), "host": socket.gethostname(), "since": since, "deaths": deaths}).encode()


def parsed(holder: str | bytes | None) -> dict[str, Any]:
    """What a lease's content says; nothing where it is damaged or there is none."""
    try:
        said = json.loads(holder or "{}")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


class Lease:
    """A lease that this process has. A context manager: it is given back at the end, and kept alive until then.

    `deaths`: how many processes, one after another, had it and never gave it back.
    """

    def __init__(self, leases: Leases, name: str, mark: bytes, *, deaths: int) -> None:
        self._leases, self.name, self._mark, self.deaths = leases, name, mark, deaths
        self._lost = False
        self._ended = threading.Event()
        self._renewing = threading.Thread(target=self._keep_alive, daemon=True)
        self._renewing.start()

    def check(self) -> None:
        """Raises LeaseLost where another process has the task now. Costs a request: for before a result is shown."""
        if not self._lost and self._leases.holder(self.name) != self._mark.decode():
            self._lost = True
        if self._lost:
            raise LeaseLost(f"{self.name}: another worker took this task over, as this one was silent for too long")

    def _keep_alive(self) -> None:
        while not self._ended.wait(self._leases.renewed_every_seconds):
            try:
                self.check()
                self._leases.output.put(f"{FOLDER}/{self.name}.json", self._mark)
            except LeaseLost:
                return
            except StorageError:
                continue  # until the store answers again; `check` says what became of it

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._renewing.join()
        if not self._lost:
            self._leases.output.remove_if(f"{FOLDER}/{self.name}.json", self._mark)
