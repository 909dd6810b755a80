"""Asking: the requests of all shards through one endpoint, a bounded number at a time; shards are finished on the way."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from dolmino_cli.errors import ConfigError, DataError, RunFailed
from dolmino_cli.shards.shard import Shard
from dolmino_cli.sources.rewriting.account import Account
from dolmino_cli.sources.rewriting.client import Client, Tries
from dolmino_cli.sources.rewriting.endpoint import Endpoint
from dolmino_cli.sources.rewriting.group_commit import GroupCommit
from dolmino_cli.sources.rewriting.journal import Journal
from dolmino_cli.sources.rewriting.outcome import Outcome
from dolmino_cli.sources.rewriting.requests import Asked, Request, Wanted, read_asked

GRACE_SECONDS = 30.0  # for answers that are under way when the run is stopped: they are paid for
TICK_SECONDS = 0.25
_READ_BYTES = 1 << 18  # of documents at a time: with the requests under way, all that is in memory
_YIELD_EVERY = 64  # stored requests passed over before other tasks get their turn


@dataclass(kw_only=True, eq=False)
class OpenShard:
    """A shard that is being asked about: its journal, and how many of its requests are not settled."""

    shard: Shard
    journal: Journal
    requests: int
    read: bool = False
    under_way: int = 0
    missing: int = 0

    @property
    def complete(self) -> bool:
        """Whether there is an outcome for every request."""
        return self.read and not self.under_way and not self.missing


@dataclass(frozen=True, kw_only=True)
class Progress:
    """`done` requests have their outcome stored, this run's and earlier runs'; `account` is of the shards in work."""

    done: int
    account: Account
    tries: Tries


@dataclass(kw_only=True)
class Asking:
    """One run over the shards left. `finish` is called in a thread with each shard whose answers are all there.

    `ask_all` raises what ended the run early, whatever it is, when the answers under way are stored: RunFailed for an endpoint
    that cannot help, or when requests are left at the end.
    """

    wanted: Wanted
    endpoint: Endpoint
    opened: Callable[[Shard], OpenShard]
    finish: Callable[[OpenShard], None]
    answered: bool
    """Whether an earlier run got an answer: then a prompt that is too long is no sign of a wrong request."""
    progress: Callable[[Progress], None]

    _open: dict[str, OpenShard] = field(default_factory=dict, init=False)
    _error: Exception | None = field(default=None, init=False)
    _interrupted: bool = field(default=False, init=False)
    _done: int = field(default=0, init=False)
    _without_answer: int = field(default=0, init=False)
    _account: Account = field(default_factory=Account, init=False)

    async def ask_all(self, shards: Sequence[Shard], left: int) -> None:
        """Ask about every document of `shards`, `left` requests in all. Stops cleanly on SIGINT and SIGTERM."""
        self._stopping, self._commit = asyncio.Event(), GroupCommit()
        self._queue: asyncio.Queue[tuple[OpenShard, Request] | None] = asyncio.Queue(maxsize=self.endpoint.concurrency)
        self._one_finish, self._finishing = asyncio.Lock(), set[asyncio.Task[None]]()
        loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():  # no other one is told of signals
            for name in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(name, self._interrupt)
        async with Client(self.endpoint, self._stopping) as self._client:
            reader = asyncio.create_task(self._guarded(self._read(shards)))
            self._askers = [asyncio.create_task(self._guarded(self._ask(slot))) for slot in range(self.endpoint.concurrency)]
            ticker = asyncio.create_task(self._tick())
            stop = asyncio.create_task(self._stopping.wait())
            tasks = [reader, *self._askers]
            all_done = asyncio.ensure_future(asyncio.wait(tasks))
            ends: set[asyncio.Future[Any]] = {all_done, stop}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._stopping.is_set():
                await self._wind_down(reader)
            while self._finishing:
                await asyncio.wait(self._finishing)
            await self._commit.finish()
            ticker.cancel()
            stop.cancel()
            self.progress(self._now())
        for shard in self._open.values():
            shard.journal.close()
        self._raise(left)

    def _raise(self, left: int) -> None:
        if self._error:
            raise self._error
        missing = left - self._done
        if missing:
            why = "stopped" if self._interrupted else f"{missing:,} requests got no answer in {self.endpoint.tries} tries each"
            last = "" if self._interrupted else f" (last: {self._client.tries.last_failure})"
            raise RunFailed(f"{why}{last}; {missing:,} of {left:,} are left: run the same command again to go on")

    async def _read(self, shards: Sequence[Shard]) -> None:
        """Put every request that has no outcome yet into the queue, in order; then an end mark for every asker."""
        for shard in shards:
            state = await asyncio.to_thread(self.opened, shard)
            self.answered = self.answered or state.journal.account.answers > 0
            self._open[shard.name] = state
            batches = read_asked(shard, self.wanted, batch_bytes=_READ_BYTES)
            while (asked := await asyncio.to_thread(next, batches, None)) is not None:
                await self._put(state, asked)
            state.read = True
            self._settle(state)
        for _ in range(self.endpoint.concurrency):
            await self._queue.put(None)

    async def _put(self, state: OpenShard, asked: Asked) -> None:
        passed = 0
        for request in asked.requests():
            if request.number >= state.requests:
                raise DataError("the file has grown while it was read; leave it alone and run again", path=state.shard.path)
            if request.number not in state.journal:
                state.under_way += 1
                await self._queue.put((state, request))
                continue
            if not state.journal.same(request.number, request.digest):
                raise ConfigError(
                    f"{state.journal.path} holds the answer to another request for {state.shard.path}:{request.line}; "
                    "give the same documents, or another --output"
                )
            self._done += 1
            passed += 1
            if passed % _YIELD_EVERY == 0:
                await asyncio.sleep(0)

    async def _ask(self, slot: int) -> None:
        """Ask for one request after the other. The slot stays taken until the outcome is on the disk: that is the bound."""
        while (item := await self._queue.get()) is not None:
            state, request = item
            outcome = await self._client.ask(request, slot=slot)
            if outcome is not None:
                self._judge(outcome)
                await self._commit.store(state.journal, outcome)
            settled = outcome is not None and outcome.kind != "gave_up"
            self._done += settled
            state.missing += not settled
            state.under_way -= 1
            self._settle(state)

    def _judge(self, outcome: Outcome) -> None:
        """Stop an endpoint from burning through the documents. Raises RunFailed."""
        if outcome.kind == "answer":
            self.answered, self._without_answer = True, 0
            return
        if outcome.kind == "bad_request" and self.wanted.on_error == "fail":
            advice = "change the template or the model's parameters, or set such documents aside with --error quarantine"
            raise RunFailed(f"line {outcome.line}: the endpoint refuses the request ({outcome.why}); {advice}")
        self._without_answer += 1
        enough = self._without_answer >= self.endpoint.concurrency
        if enough and (outcome.kind == "gave_up" or not self.answered) and not self._stopping.is_set():
            raise RunFailed(
                f"{self._without_answer:,} requests one after the other got no answer (last: {outcome.why}); "
                "what was answered is kept: see to the endpoint and run the same command again"
            )

    def _settle(self, state: OpenShard) -> None:
        if state.complete and state.shard.name in self._open:
            task = asyncio.create_task(self._guarded(self._finish(self._open.pop(state.shard.name))))
            self._finishing.add(task)
            task.add_done_callback(self._finishing.discard)

    async def _finish(self, state: OpenShard) -> None:
        async with self._one_finish:
            self._account.merge(state.journal.account)
            try:
                await asyncio.to_thread(self.finish, state)
            finally:
                state.journal.close()

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Await `work`; the first error that one raises ends the run, and is raised again by `_raise`."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not cost answers either
            self._error = self._error or error
            self._stopping.set()

    async def _wind_down(self, reader: asyncio.Task[None]) -> None:
        """Begin nothing new, store the answers that come within the grace period, give the rest up."""
        reader.cancel()
        while not self._queue.empty():
            self._queue.get_nowait()
        for _ in self._askers:
            self._queue.put_nowait(None)
        _, late = await asyncio.wait(self._askers, timeout=GRACE_SECONDS)
        for asker in late:
            asker.cancel()
        await asyncio.gather(reader, *self._askers, return_exceptions=True)

    def _interrupt(self) -> None:
        """Stop; asked a second time, wait for no answer any more."""
        if self._interrupted:
            for asker in self._askers:
                asker.cancel()
        self._interrupted = True
        self._stopping.set()

    def _now(self) -> Progress:
        account = Account()
        account.merge(self._account)
        for state in self._open.values():
            account.merge(state.journal.account)
        return Progress(done=self._done, account=account, tries=self._client.tries)

    async def _tick(self) -> None:
        while True:
            self.progress(self._now())
            await asyncio.sleep(TICK_SECONDS)
