"""Watchdog: a run in which nothing happens any more says where it stands, and ends, so that something else can start it again."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Watchdog:
    """Must be told of progress; a thread of its own ends the process when that stays out."""

    def __init__(self, *, timeout_seconds: float, rank: int, world_size: int, say: Callable[[str], None]) -> None:
        self._timeout_seconds, self._who, self._say = timeout_seconds, f"rank {rank} of {world_size}", say
        self._doing, self._since = "starting", time.monotonic()
        self._closed = threading.Event()

    def doing(self, what: str) -> None:
        """There is progress; `what` comes next, such as `step 17`."""
        self._doing, self._since = what, time.monotonic()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch until the block is left."""
        self.doing(self._doing)
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        try:
            yield
        finally:
            self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(min(self._timeout_seconds / 10, 5.0)):
            waited = time.monotonic() - self._since
            if waited < self._timeout_seconds:
                continue
            self._say(
                f"dolmino: error: {self._who} has been in {self._doing} for {waited:,.0f} s (watch.timeout_seconds"
                f" {self._timeout_seconds:,.0f}); where its threads stand follows, and it ends. Run the same command to go on"
                " from the last checkpoint"
            )
            faulthandler.dump_traceback(file=sys.__stderr__ or sys.stderr, all_threads=True)
            if self._closed.is_set():  # it was done meanwhile
                return
            # Not an exception: the main thread hangs in a call that never returns.
            os._exit(1)
