"""One shard through a recipe, part by part; its files appear at the end, the ledger entry last.

A shard of one part is written to its final names at once. Of a larger one each part is written, and recorded, by itself, and
all are put together when the last is there: whoever goes on after a kill finds what is done. Other tasks may help with it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack

from dolmino_cli.errors import DolminoError, StorageError
from dolmino_cli.executors.leases import Lease, LeaseLost, Leases
from dolmino_cli.pipeline.evaluate import score_columns
from dolmino_cli.pipeline.existing_scores import ExistingScores
from dolmino_cli.pipeline.part_records import PartRecords, remove_parts
from dolmino_cli.pipeline.put_together import PartDamaged, put_together
from dolmino_cli.pipeline.sinks import Sinks, final_names, part_names
from dolmino_cli.pipeline.tally import StageTally, total
from dolmino_cli.pipeline.task import Options, ShardTask, batch_bytes, read_options
from dolmino_cli.pipeline.through_stages import run_batches
from dolmino_cli.shards.ledger import LedgerEntry, OutputFile, input_identity, load, save
from dolmino_cli.shards.parts import Parts, open_parts
from dolmino_cli.shards.shard import changed
from dolmino_cli.shards.storage import Output, stat

__all__ = ["Options", "ShardTask", "batch_bytes", "run_shard"]

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.1, 5.0


def run_shard(task: ShardTask) -> LedgerEntry | None:
    """Do the task and return its ledger entry; None from a task that helps, where others are at what is left.

    Raises DataError (unreadable record, with `on_error="fail"`), StorageError, ConfigError (parts of another run). Nothing that
    looks finished is left behind.
    """
    work = _Work(task)
    try:
        return work.help() if task.helps else work.to_the_end()
    except (DolminoError, FileNotFoundError) as error:
        if task.helps:
            return None  # the shard's own task comes upon it, and says so
        # Who was silent for too long may wake up when another has put the shard together, and removed the parts.
        finished = load(Output(task.output), task.shard.name) if isinstance(error, (StorageError, FileNotFoundError)) else None
        if finished is None:
            raise
        return finished


class _Work:
    """A shard's parts, as one worker sees them: `done` so far, and how many there are where that is known."""

    def __init__(self, task: ShardTask) -> None:
        self._task, self._output = task, Output(task.output)
        self._records = PartRecords(self._output, task.shard, task.run_recipe)
        self._leases = Leases(self._output) if task.helpers else None
        self._done: dict[int, LedgerEntry] = {}
        self._count: int | None = None
        self._parts: Parts | None = None

    def help(self) -> LedgerEntry | None:
        """Do the parts that are left and that nobody is at."""
        finished = load(self._output, self._task.shard.name)
        return finished or self._go_through()

    def to_the_end(self) -> LedgerEntry:
        """Do what is left, wait for what others are at, and put the shard together."""
        wait_seconds = _FIRST_WAIT_SECONDS
        while True:
            finished = (load(self._output, self._task.shard.name) if self._leases else None) or self._go_through()
            if finished is None and self._is_whole():
                finished = self._put_together()
            if finished is not None:
                return finished
            time.sleep(wait_seconds)
            wait_seconds = min(2 * wait_seconds, _LONGEST_WAIT_SECONDS)

    def _is_whole(self) -> bool:
        return self._count is not None and all(number in self._done for number in range(self._count))

    def _go_through(self) -> LedgerEntry | None:
        """Do every part that is not done and that nobody is at; the shard's entry where it is finished by then."""
        with ExitStack() as opened:
            self._parts = None
            number = 0
            while self._count is None or number < self._count:
                entry = self._done.get(number) or self._records.load(number) or self._take(number, opened)
                if entry is not None and entry.name == self._task.shard.name:
                    return entry
                if entry is not None:
                    self._done[number] = entry
                    if entry.counts["last"]:
                        self._count = number + 1
                number += 1
        return None

    def _take(self, number: int, opened: ExitStack) -> LedgerEntry | None:
        """Do a part that has no entry; None where another worker is at it, or there is no such part."""
        with ExitStack() as leased:
            lease = None
            if self._leases is not None:
                lease = self._leases.take(f"parts/{self._task.shard.name}/{number:05d}")
                if lease is None:
                    return None
                leased.enter_context(lease)
                finished = load(self._output, self._task.shard.name) or self._records.load(number)  # since we looked
                if finished is not None:
                    return finished
            if self._parts is None:
                options = read_options(self._task)
                self._parts = opened.enter_context(open_parts(self._task.shard, options, self._task.options.part_bytes))
            if not self._parts.go_to(number):
                self._count = number
                return None
            return self._do(self._parts, number, lease)

    def _do(self, parts: Parts, number: int, lease: Lease | None) -> LedgerEntry | None:
        """Do one part; None where another worker took it over meanwhile. The shard's own entry where it is the only one."""
        task, seconds = self._task, defaultdict[str, float](float)
        with ExitStack() as unfinished:
            existing = self._existing(number)
            # The first part is most often the only one, which is known at its end.
            names = part_names(task, number) if number else final_names(task)
            sinks = Sinks(task, unfinished, names)
            tally = run_batches(task, parts, sinks, existing, seconds)
            is_last = parts.is_last
            only = number == 0 and is_last
            if not only:
                _refuse_changed_input(task)  # other parts are read by themselves, and maybe by others
            if existing and is_last:
                existing.finish(task.shard.path)
            if lease:
                try:
                    lease.check()
                except LeaseLost:
                    return None
            started = time.perf_counter()
            if number == 0 and not only:
                sinks.move_to(part_names(task, 0))
            outputs = sinks.publish()
            seconds["write"] += time.perf_counter() - started
        if only:
            return self._record(tally, seconds, outputs)
        tally.bytes_written = sum(output.bytes for output in outputs.values())
        entry = self._records.entry(
            number,
            counts={**tally.counts(), "lines": parts.lines, "last": is_last},
            bytes=tally.bytes(),
            outputs=outputs,
            seconds=dict(seconds),
        )
        self._records.save(number, entry)
        return entry

    def _existing(self, number: int) -> ExistingScores | None:
        if not self._task.options.scores:
            return None
        existing = ExistingScores(self._task.options.scores, self._task.shard.name, score_columns(self._task.recipe))
        before = [self._done[i].counts for i in range(number)]  # all are there: these parts are done in order
        documents = sum(counts["in"] - counts["quarantined"] for counts in before)
        existing.skip(documents, lines=sum(counts["lines"] for counts in before))
        return existing

    def _put_together(self) -> LedgerEntry | None:
        """The shard from its parts; None where another worker is at it, or a part must be done again."""
        with ExitStack() as leased:
            if self._leases:
                lease = self._leases.take(f"parts/{self._task.shard.name}/whole")
                if lease is None:
                    return None
                leased.enter_context(lease)
            started = time.perf_counter()
            entries = [self._done[number] for number in range(self._count or 0)]
            try:
                outputs = put_together(self._task, entries)
            except PartDamaged as damaged:
                finished = load(self._output, self._task.shard.name)
                if finished is not None:  # another worker took this over, put the shard together and removed the parts
                    return finished
                self._records.forget(damaged.number)
                self._done.pop(damaged.number)
                return None
            seconds = _summed(entries)
            seconds["write"] += time.perf_counter() - started
            entry = self._record(total(map(StageTally.of_entry, entries), self._task.recipe.drops), seconds, outputs)
            remove_parts(self._output, self._task.shard.name)
            return entry

    def _record(self, tally: StageTally, seconds: dict[str, float], outputs: dict[str, OutputFile]) -> LedgerEntry:
        tally.bytes_written = sum(output.bytes for output in outputs.values())
        entry = LedgerEntry(
            name=self._task.shard.name,
            recipe=self._task.run_recipe,
            input=input_identity(self._task.shard),
            counts=tally.counts(),
            bytes=tally.bytes(),
            outputs=outputs,
            seconds={name: round(value, 4) for name, value in seconds.items()},
            engine=self._task.loaded,
        )
        save(self._output, entry)
        return entry


def _refuse_changed_input(task: ShardTask) -> None:
    found = stat(task.shard.path)
    if task.shard.etag is not None and (found is None or (found.bytes, found.etag) != (task.shard.bytes, task.shard.etag)):
        raise changed(task.shard.path)


def _summed(entries: Sequence[LedgerEntry]) -> defaultdict[str, float]:
    seconds = defaultdict[str, float](float)
    for entry in entries:
        for name, value in entry.seconds.items():
            seconds[name] += value
    return seconds
