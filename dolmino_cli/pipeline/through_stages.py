"""Batches of a shard, or of a part of one, through a recipe's stages and into the sinks."""

from __future__ import annotations

import time
from collections import defaultdict

import pyarrow.compute as pc

from dolmino_cli.documents import Batch
from dolmino_cli.errors import DataError
from dolmino_cli.executors import counters
from dolmino_cli.pipeline.evaluate import evaluate
from dolmino_cli.pipeline.existing_scores import ExistingScores
from dolmino_cli.pipeline.memory import check_ceiling, give_back
from dolmino_cli.pipeline.sinks import Sinks
from dolmino_cli.pipeline.tally import StageTally
from dolmino_cli.pipeline.task import ShardTask
from dolmino_cli.shards.parts import Parts
from dolmino_cli.shards.reading import Quarantined


def run_batches(
    task: ShardTask,
    parts: Parts,
    sinks: Sinks,
    existing: ExistingScores | None,
    seconds: defaultdict[str, float],
) -> StageTally:
    """Read, measure, decide and write every batch of the part that `parts` is at; returns the counts.

    Wall seconds are added to `seconds`, by stage. The line in an error's message is that of the shard.
    """
    tally, batches = StageTally.of(task.recipe.drops), parts.read()
    while True:
        started = time.perf_counter()
        following = next(batches, None)
        seconds["read"] += time.perf_counter() - started
        if following is None:
            return tally
        try:
            text_bytes = _run_batch(task, *following, sinks, existing, tally, seconds)
        except DataError as error:
            if error.line is None or error.path != task.shard.path:
                raise
            raise DataError(error.problem, path=error.path, line=parts.lines_before() + error.line) from None
        counters.advance(documents=len(following[0]) + len(following[1]), bytes=text_bytes)
        check_ceiling(task.memory_bytes, task.shard.path)
        del following  # before the next one is read
        give_back(text_bytes)


def _run_batch(
    task: ShardTask,
    batch: Batch,
    quarantined: list[Quarantined],
    sinks: Sinks,
    existing: ExistingScores | None,
    tally: StageTally,
    seconds: defaultdict[str, float],
) -> int:
    """One batch, with the records set aside beside it; returns the bytes of its texts."""
    tally.quarantined += len(quarantined)
    sinks.quarantine(quarantined)
    text_bytes: int = pc.sum(pc.binary_length(batch.text)).as_py() or 0
    tally.documents_in += len(batch)
    tally.bytes_in += text_bytes
    if len(batch):
        outcome = evaluate(
            task.recipe,
            batch,
            tally=tally,
            seconds=seconds,
            decide=task.options.decide,
            measure_dropped=task.options.measure_dropped,
            existing=existing.take(batch) if existing else None,
        )
        started = time.perf_counter()
        sinks.write(batch, outcome)
        seconds["write"] += time.perf_counter() - started
    return text_bytes
