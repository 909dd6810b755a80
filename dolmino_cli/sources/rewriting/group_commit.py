"""Many answers arrive while one fsync runs: they share the next."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from dolmino_cli.sources.rewriting.journal import Journal
from dolmino_cli.sources.rewriting.outcome import Outcome


class GroupCommit:
    """Stores outcomes in their journals from one thread, all that are waiting at a time, each journal synced once for them."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Journal, Outcome, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def store(self, journal: Journal, outcome: Outcome) -> None:
        """Return when the outcome is on the disk. Raises StorageError."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((journal, outcome, stored))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await stored

    async def finish(self) -> None:
        """Return when nothing is waiting, even for callers that were cancelled meanwhile."""
        if self._writing is not None:
            await self._writing

    async def _write(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting, []
            by_journal: defaultdict[Journal, list[tuple[Outcome, asyncio.Future[None]]]] = defaultdict(list)
            for journal, outcome, stored in taken:
                by_journal[journal].append((outcome, stored))
            for journal, group in by_journal.items():
                error: Exception | None = None
                try:
                    await asyncio.to_thread(journal.store, [outcome for outcome, _ in group])
                except Exception as raised:  # noqa: BLE001 - handed to whoever waits for it
                    error = raised
                for _, stored in group:
                    if not stored.done():
                        stored.set_exception(error) if error else stored.set_result(None)
