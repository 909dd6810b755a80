"""A rewrite by several processes: each asks about a shard at a time, with requests of its own under way, and writes it.

    for entry in ask_shares(plan, endpoint, executor): ...
    finish(plan)

Answers are kept in the shard's journal: a process that takes over from a dead one asks for none of them again, if the journal
lies where both see it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dolmino_cli.executors import counters
from dolmino_cli.executors.attempt import attempt_all
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.executor import Executor, Phase
from dolmino_cli.shards import ledger
from dolmino_cli.shards.ledger import LedgerEntry
from dolmino_cli.shards.shard import Shard
from dolmino_cli.shards.storage import Output
from dolmino_cli.sources.rewriting import PRELOAD
from dolmino_cli.sources.rewriting.asking import Progress
from dolmino_cli.sources.rewriting.endpoint import Endpoint
from dolmino_cli.sources.rewriting.journal import locked_shard
from dolmino_cli.sources.rewriting.requests import Wanted
from dolmino_cli.sources.rewriting.run import Plan, ask_left, begin, survey_all


@dataclass(frozen=True, kw_only=True)
class AskTask:
    """One shard to ask about. `journal` is the folder of all shards'."""

    shard: Shard
    wanted: Wanted
    output: Output
    journal: Path
    endpoint: Endpoint


def ask_shares(
    plan: Plan, endpoint: Endpoint, executor: Executor, *, run_counters: Counters | None = None
) -> Iterator[LedgerEntry]:
    """Ask about the shards left, a task each; yields each one's entry when it is written. `finish` must be called after the last.

    At most `endpoint.concurrency` requests are under way for each worker. All shards are tried; what failed is raised at the
    end: RunFailed, or a single failure.
    """
    phase = Phase(name="rewrite", name_of=lambda task: task.shard.name, recorded=written, folder="ledger", gathered=False)
    todo = [
        AskTask(shard=shard, wanted=plan.wanted, output=plan.output, journal=plan.journal, endpoint=endpoint)
        for shard in plan.left
    ]
    with executor.claim(plan.output):
        if todo:
            begin(plan)
        for task, entry in attempt_all(
            executor, ask_shard, todo, phase=phase, what="shards", output=plan.output, counters=run_counters, preload=PRELOAD
        ):
            plan.finished[task.shard.name] = entry
            yield entry


def written(task: AskTask) -> LedgerEntry | None:
    """The shard's entry, if it is written."""
    return ledger.load(task.output, task.shard.name)


def ask_shard(task: AskTask) -> LedgerEntry:
    """Ask about one shard and write it. Raises RunFailed when requests are left, DataError, StorageError, MissingExtra."""
    shard = task.shard
    plan = Plan(wanted=task.wanted, output=task.output, journal=task.journal, shards=[shard], finished={})
    for _ in survey_all(plan):
        pass
    seen = 0

    def progress(now: Progress) -> None:
        nonlocal seen
        counters.advance(documents=now.done - seen, bytes=0)
        seen = now.done

    with locked_shard(task.journal, shard.name, concurrency=task.endpoint.concurrency):
        entry = written(task)
        if entry is not None:  # by another process, while this one waited
            return entry
        ask_left(plan, task.endpoint, progress=progress)
    return plan.finished[shard.name]
