"""A run divided among processes that nothing directs: each is given the same command with --shard I/N, on any machine.

Each plans the same tasks, does its own share of them first, then helps with what is left and not begun. They see each other in
the output only: finished tasks by their records, begun ones by leases, failed ones by failures/. How many of the N are started,
when, and how often, changes nothing: one alone does everything, and one that is killed has its tasks taken over. The one that
finds everything done finishes the run.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dolmino_cli.errors import ConfigError, DolminoError, LeftToOthers, RunFailed
from dolmino_cli.executors import failures, manifest
from dolmino_cli.executors.board import Board, Done, Piece, Records, UnderLease
from dolmino_cli.executors.claim import RUN, refused
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.executor import Phase, Result, Task
from dolmino_cli.executors.failures import WorkersKilled
from dolmino_cli.executors.leases import EXPIRY_SECONDS, FOLDER, Leases
from dolmino_cli.executors.local import Local
from dolmino_cli.shards.leftovers import remove_gone
from dolmino_cli.shards.output import Output
from dolmino_cli.shards.storage import list_names

_SHARE = re.compile(r"(\d+)/(\d+)\Z")
_FINISH = "finish"
_LOOK_EVERY_SECONDS = 15.0
_POLL_SECONDS = 2.0
_SHARE_OF_TIME_LOOKING = 0.1
_LOADED_AT_ONCE = 16


def parse_share(text: str) -> tuple[int, int]:
    """`I/N` as (I, N), I from 0 to N-1. Raises ConfigError."""
    found = _SHARE.match(text)
    index, of = (int(found.group(1)), int(found.group(2))) if found else (0, 0)
    if index >= of:
        raise ConfigError(f"--shard {text!r}: give I/N, with I from 0 to N-1: 0/8, 1/8, ... 7/8")
    return index, of


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Share `index` (from 0) of `of`, with `workers` processes of its own. `output` is the run's."""

    index: int
    of: int
    output: Output
    workers: int = 1
    poll_seconds: float = _POLL_SECONDS
    expiry_seconds: float = EXPIRY_SECONDS
    until_claim_ends: ExitStack = field(default_factory=ExitStack, repr=False, compare=False)

    @property
    def several_machines(self) -> bool:
        """As `Executor.several_machines`."""
        return True

    @property
    def together(self) -> int:
        """Workers of all shares, if all are started: how many may help each other."""
        return self.workers * self.of

    @contextmanager
    def claim(self, output: Output) -> Iterator[None]:
        """Refuse where one process directs a run over this output. Other shares may write to it. Raises RunFailed."""
        leases = Leases(output, expiry_seconds=self.expiry_seconds)
        if not leases.is_free(RUN):
            raise refused(leases)
        with self.until_claim_ends:
            yield
        remove_gone(output.unfinished_folder)
        _remove_folders_of_leases(output)

    def run_tasks(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        *,
        phase: Phase,
        counters: Counters | None = None,
        preload: Sequence[str] = (),
    ) -> Iterator[tuple[Task, Result]]:
        """As `Executor.run_tasks`. A task that failed here is tried by two others at most; what failed comes last."""
        work = _Work(self, function, list(tasks), phase)
        work.announce()
        yield from work.until_nothing_is_left(counters, preload)
        if phase.gathered or work.is_last():
            yield from work.the_rest()
        else:
            yield from work.leave()


class _Work:
    """One phase, as this process sees it."""

    def __init__(self, share: Shared, function: Callable[[Any], Any], tasks: list[Any], phase: Phase) -> None:
        self._share, self._phase = share, phase
        self._pieces = _pieces(tasks, phase, share)
        self._records = Records(output=share.output, folder=phase.folder)
        self._call = UnderLease(function=function, records=self._records, expiry_seconds=share.expiry_seconds)
        self._board = Board(records=self._records, phase=phase, pieces=self._pieces, expiry_seconds=share.expiry_seconds)
        self._yielded: set[str] = set()
        self._failed: dict[str, DolminoError] = {}
        self._given_up: dict[str, float] = {}
        self._run_has_ended = False
        self._said: manifest.Manifest | None = None

    def announce(self) -> None:
        """Say how many tasks the phase has, for whoever asks how far it is."""
        if not self._left():
            return
        self._said = manifest.begun(
            self._phase.name,
            tasks=len(self._names() - self._board.done),
            done=len(self._board.done),
            executor=f"{self._share.of} shares",
            folder=self._records.folder,
        )
        manifest.save_new(self._share.output, self._said)

    def until_nothing_is_left(self, counters: Counters | None, preload: Sequence[str]) -> Iterator[tuple[Any, Any]]:
        """Do tasks until all are done, or others are at those that are not. Raises LeftToOthers, see `Phase.gathered`."""
        inner = Phase(name=self._phase.name, name_of=lambda piece: piece.name)
        workers = Local(workers=self._share.workers)
        while True:
            ready = self._ready()
            if not ready and self._board.find_left_behind(self._left()):
                ready = self._ready()
            if ready:
                offered = self._offered(ready)
                for piece, outcome in workers.run_tasks(self._call, offered, phase=inner, counters=counters, preload=preload):
                    yield from self._take(piece, outcome)
            elif not self._left() or (not self._phase.gathered and self._others_are_at_all_of_it()):
                return
            else:
                time.sleep(max(self._share.poll_seconds, self._board.seconds / _SHARE_OF_TIME_LOOKING))
            self._look()

    def is_last(self) -> bool:
        """Is everything done or failed, and no other process finishing the run? Then this one does, until its claim ends."""
        if self._left() or self._run_has_ended or self._is_tried_by_others():
            return False
        lease = Leases(self._share.output, expiry_seconds=self._share.expiry_seconds).take(_FINISH)
        if lease is not None:
            self._share.until_claim_ends.enter_context(lease)
        return lease is not None

    def the_rest(self) -> Iterator[tuple[Any, Any]]:
        """Results of tasks that others did, and failures."""
        rest = list({piece.name: piece for piece in self._pieces if piece.name not in self._yielded}.values())
        with ThreadPoolExecutor(_LOADED_AT_ONCE) as loading:
            for piece, result in zip(rest, loading.map(self._result, rest), strict=True):
                yield piece.task, result
        for name in self._board.failed.keys() & self._board.done:
            # At first, by a process that another one, which did not know of it, was faster than.
            failures.forget(self._share.output, name)
        if not self._names() <= self._board.done:
            return
        if not self._phase.gathered:
            self._share.until_claim_ends.callback(_clean, self._share.output)
            return
        _clean_leases(self._share.output, self._phase.name)
        manifest.remove(self._share.output, self._phase.name)

    def leave(self) -> Iterator[tuple[Any, Any]]:
        """End before the run is done: with what failed here and was not done by others since. Raises LeftToOthers without."""
        failed = {name: error for name, error in self._failed.items() if name not in self._board.done}
        if not failed:
            left, share = len({piece.name for piece in self._left()}), self._share
            others = f"{left:,} of {len(self._names()):,} are being done by others" if left else "another finished the run"
            raise LeftToOthers(f"share {share.index}/{share.of}: {len(self._yielded):,} tasks done here; {others}")
        for piece in self._pieces:
            if piece.name in failed and piece.name not in self._yielded:
                yield piece.task, failed.pop(piece.name)

    def _ready(self) -> list[Piece]:
        """What this process may begin: its own share, then what is left of the others', theirs from the end."""
        free = [piece for piece in self._left() if not self._is_failed(piece) and not self._is_begun(piece)]
        others = [piece for piece in reversed(free) if not piece.own]
        return [*(piece for piece in free if piece.own), *others]

    def _offered(self, ready: list[Piece]) -> Iterator[Piece]:
        """`ready`, without what became done or begun meanwhile, as far as a listing now and then tells."""
        looked = time.monotonic()
        for piece in ready:
            pause_seconds = max(_LOOK_EVERY_SECONDS, self._board.seconds / _SHARE_OF_TIME_LOOKING)
            if not piece.own and time.monotonic() - looked > pause_seconds:
                self._look()
                looked = time.monotonic()
            if piece.own or not (piece.name in self._board.done or self._is_failed(piece) or self._is_begun(piece)):
                yield piece

    def _take(self, piece: Piece, outcome: Done | DolminoError) -> Iterator[tuple[Any, Any]]:
        if isinstance(outcome, DolminoError):
            self._failed[piece.name] = outcome
            if isinstance(outcome, WorkersKilled):  # said at once: it must not kill the others' workers, too
                self._forget_dead_holder(piece)
                self._yielded.add(piece.name)
                yield piece.task, outcome
        elif outcome.by_me:
            self._board.forget(piece)
            self._yielded.add(piece.name)
            yield piece.task, outcome.result
        # Done by another meanwhile, or begun; or this one helped with a large shard, and there is nothing to help with now.
        self._given_up[piece.lease] = time.monotonic()

    def _forget_dead_holder(self, piece: Piece) -> None:
        """So that a rerun begins to count deaths anew."""
        leases = Leases(self._share.output, expiry_seconds=self._share.expiry_seconds)
        if leases.is_free(piece.lease):
            self._share.output.delete(f"{FOLDER}/{piece.lease}.json")

    def _look(self) -> None:
        """Look at the board anew. The process that finishes the run removes the manifest."""
        self._board.look()
        done = len(self._names() & self._board.done)
        if not self._records.folder and self._said is not None and done > self._said.done:  # no listing tells it
            self._said = replace(self._said, done=done, updated=manifest.now())
            manifest.save(self._share.output, self._said)
        self._run_has_ended = not self._phase.gathered and not manifest.exists(self._share.output, self._phase.name)

    def _left(self) -> list[Piece]:
        """Neither done nor failed for good."""
        if self._run_has_ended:
            return []
        return [piece for piece in self._pieces if piece.name not in self._board.done and not self._is_failed(piece)]

    def _names(self) -> set[str]:
        return {piece.name for piece in self._pieces}

    def _others_are_at_all_of_it(self) -> bool:
        """By processes that are alive, so that nothing is left to one that died."""
        held = {piece.name for piece in self._left() if self._board.surely_held(piece)}
        return all(piece.name in held for piece in self._left())

    def _is_tried_by_others(self) -> bool:
        """Is another process at something that failed here? Then it finishes the run, if it succeeds."""
        failed = (piece for piece in self._pieces if piece.name in self._failed and piece.name not in self._board.done)
        return any(self._board.held(piece) for piece in failed)

    def _is_failed(self, piece: Piece) -> bool:
        # What is held is being tried again, by the process whose share it is.
        return piece.name in self._failed or (self._board.exhausted(piece) and not self._board.held(piece))

    def _is_begun(self, piece: Piece) -> bool:
        given_up = self._given_up.get(piece.lease)
        just_now = given_up is not None and time.monotonic() - given_up < self._share.poll_seconds
        return just_now or self._board.held(piece)

    def _result(self, piece: Piece) -> Any:
        found = self._board.result(piece)
        if found is not None:
            return found
        if piece.name in self._failed:
            return self._failed[piece.name]
        failure = self._board.failed.get(piece.name)
        reason = f"{failure.reason} (on {failure.host}, tried {failure.tries} times)" if failure else "its result was removed"
        return RunFailed(reason if piece.name in reason else f"{piece.name}: {reason}")


def _remove_folders_of_leases(output: Output) -> None:
    root = output.local_path(FOLDER)
    for folder, _, _ in os.walk(root, topdown=False) if root is not None else ():
        with suppress(OSError):  # another process has leases in it
            Path(folder).rmdir()


def _clean(output: Output) -> None:
    """Remove what a run that is done needs no more, with leases of processes that were killed."""
    manifest.remove_all(output)
    for name in list_names(output.path(FOLDER), ".json"):
        if "/" in name:
            output.delete(f"{FOLDER}/{name}")


def _clean_leases(output: Output, phase: str) -> None:
    """Remove leases of a phase that is done: of processes that were killed, or are about to see that it is."""
    for name in list_names(output.path(f"{FOLDER}/{phase}"), ".json"):
        output.delete(f"{FOLDER}/{phase}/{name}")


def _pieces(tasks: list[Any], phase: Phase, share: Shared) -> list[Piece]:
    numbers: Counter[str] = Counter()
    pieces = []
    for place, task in enumerate(tasks):
        name = phase.name_of(task)
        numbers[name] += 1
        lease = f"{phase.name}/{name}" if numbers[name] == 1 else f"{phase.name}/{name}.{numbers[name]}"
        pieces.append(Piece(task=task, name=name, lease=lease, own=place % share.of == share.index))
    return pieces
