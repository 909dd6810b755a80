"""Batches of a shard, or of a part of one, through a recipe's stages and into the sinks."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator

import pyarrow.compute as pc

from dolmino_cli.documents import Batch
from dolmino_cli.executors import counters
from dolmino_cli.pipeline.evaluate import evaluate
from dolmino_cli.pipeline.existing_scores import ExistingScores
from dolmino_cli.pipeline.sinks import Sinks
from dolmino_cli.pipeline.tally import StageTally
from dolmino_cli.pipeline.task import ShardTask
from dolmino_cli.shards.reading import Quarantined


def run_batches(
    task: ShardTask,
    batches: Iterator[tuple[Batch, list[Quarantined]]],
    sinks: Sinks,
    existing: ExistingScores | None,
    seconds: defaultdict[str, float],
) -> StageTally:
    """Read, measure, decide and write every batch; returns the counts. Wall seconds are added to `seconds`, by stage."""
    tally = StageTally.of(task.recipe.drops)
    while True:
        started = time.perf_counter()
        following = next(batches, None)
        seconds["read"] += time.perf_counter() - started
        if following is None:
            return tally
        batch, quarantined = following
        tally.quarantined += len(quarantined)
        sinks.quarantine(quarantined)
        text_bytes = pc.sum(pc.binary_length(batch.text)).as_py() or 0
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
        counters.advance(documents=len(batch) + len(quarantined), bytes=text_bytes)
