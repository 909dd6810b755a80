"""One shard through a recipe: read, measure, decide, write; everything appears at the end, the ledger entry last."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from dolmino_cli.documents import BATCH_BYTES, Batch
from dolmino_cli.errors import DolminoError
from dolmino_cli.executors import counters
from dolmino_cli.pipeline.evaluate import Evaluated, columns, evaluate, score_columns
from dolmino_cli.pipeline.existing_scores import ExistingScores
from dolmino_cli.pipeline.names import Format, attributes_name, documents_name, quarantine_name
from dolmino_cli.pipeline.sidecar import QUARANTINE_SCHEMA, Sidecar, quarantine_rows
from dolmino_cli.pipeline.tally import StageTally
from dolmino_cli.recipe import Recipe
from dolmino_cli.shards.ledger import LedgerEntry, OutputFile, input_identity, save
from dolmino_cli.shards.listing import Shard
from dolmino_cli.shards.reading import Quarantined, read_batches
from dolmino_cli.shards.storage import Output, Pending
from dolmino_cli.shards.writing import DocumentWriter
from dolmino_cli.stages.stage import is_wide


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a run does besides the recipe. None of it changes which documents are kept, save `on_error`."""

    decide: bool = True  # False: `dolmino score`, attributes only
    on_error: Literal["fail", "quarantine"] = "fail"
    rejects: bool = False  # write dropped documents too
    measure_dropped: bool = False  # score documents that an earlier decision dropped
    format: Format | None = None  # of documents; None: .jsonl.zst, or Parquet for Parquet
    zstd_level: int = 1  # of documents: 2.5 times as fast as level 3, at 13 % more bytes
    scores: str | None = None  # folder of an earlier run whose scores are taken

    def recorded(self) -> dict[str, Any]:
        """What a rerun must repeat to be the same run. Where the scores came from is in `loaded`."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class ShardTask:
    """One independent piece of a run; picklable, the same for every executor."""

    shard: Shard
    recipe: Recipe
    loaded: dict[str, dict[str, str]]  # what each measure loaded, by score
    run_recipe: dict[str, Any]  # resolved recipe with options, as the ledger keeps it
    output: str
    options: Options


def run_shard(task: ShardTask) -> LedgerEntry:
    """Do the task and return its ledger entry.

    Raises DataError (unreadable record, with `on_error="fail"`), StorageError. Nothing that looks finished is left behind.
    """
    with ExitStack() as unfinished:
        sinks = _Sinks(task, unfinished)
        tally, seconds = StageTally.of(task.recipe.drops), defaultdict[str, float](float)
        existing = None
        if task.options.scores:
            existing = ExistingScores(task.options.scores, task.shard.name, score_columns(task.recipe))
        asked_bytes = batch_bytes(task.recipe, task.options)
        batches = read_batches(task.shard, on_error=task.options.on_error, batch_bytes=asked_bytes, rows=task.recipe.rows)
        while True:
            started = time.perf_counter()
            following = next(batches, None)
            seconds["read"] += time.perf_counter() - started
            if following is None:
                break
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
        if existing:
            existing.finish(task.shard.path)
        started = time.perf_counter()
        outputs = sinks.publish()
        seconds["write"] += time.perf_counter() - started
        tally.bytes_written = sum(output.bytes for output in outputs.values())
        return _record(task, tally, seconds, outputs)


def batch_bytes(recipe: Recipe, options: Options) -> int:
    """How much of a shard goes through the stages at once: the usual, or what a measure that will run asks for."""
    asked = [measure.batch_bytes for measure in recipe.measures if is_wide(measure)] if not options.scores else []
    return max([BATCH_BYTES, *asked])


def _record(task: ShardTask, tally: StageTally, seconds: dict[str, float], outputs: dict[str, OutputFile]) -> LedgerEntry:
    entry = LedgerEntry(
        name=task.shard.name,
        recipe=task.run_recipe,
        input=input_identity(task.shard),
        counts=tally.counts(),
        bytes=tally.bytes(),
        outputs=outputs,
        seconds={name: round(value, 4) for name, value in seconds.items()},
        engine=task.loaded,
    )
    save(Output(task.output), entry)
    return entry


class _Sinks:
    """The pending outputs of one shard: opened as needed, published together."""

    def __init__(self, task: ShardTask, unfinished: ExitStack) -> None:
        self._task, self._unfinished = task, unfinished
        self._output = Output(task.output)
        self._pending: dict[str, Pending] = {}
        self._attributes: Sidecar | None = None
        self._quarantine: Sidecar | None = None
        self._finished = False
        self._documents: DocumentWriter | None = None
        self._rejects: DocumentWriter | None = None
        name = documents_name(task.shard.name, task.options.format)
        if task.options.decide:
            self._documents = DocumentWriter(self._create(f"documents/{name}"), name, zstd_level=task.options.zstd_level)
        if task.options.decide and task.options.rejects:
            self._rejects = DocumentWriter(self._create(f"rejects/{name}"), name, zstd_level=task.options.zstd_level)

    def write(self, batch: Batch, outcome: Evaluated) -> None:
        attributes = outcome.attributes(batch)
        if not self._task.options.decide:
            attributes = attributes.drop_columns(["kept", "reason"])
        if self._attributes is None:
            name = f"attributes/{attributes_name(self._task.shard.name)}"
            self._attributes = Sidecar(self._create(name), attributes.schema)
        self._attributes.write(attributes)
        if self._documents is not None:
            self._documents.write(outcome.documents.record)
        if self._rejects is not None:
            self._rejects.write(batch.where(~outcome.kept).record)

    def quarantine(self, records: Sequence[Quarantined]) -> None:
        if not records:
            return
        if self._quarantine is None:
            name = f"quarantine/{quarantine_name(self._task.shard.name)}"
            self._quarantine = Sidecar(self._create(name), QUARANTINE_SCHEMA)
        self._quarantine.write(quarantine_rows(self._task.shard.path, records))

    def publish(self) -> dict[str, OutputFile]:
        """Finish every file and make it appear; returns what was written, by name."""
        if self._attributes is None:
            self._attributes = self._empty_attributes()
        self._finish()
        for pending in self._pending.values():
            pending.close()
        for pending in self._pending.values():
            pending.publish()
        return {name: OutputFile(bytes=pending.bytes, sha256=pending.sha256) for name, pending in sorted(self._pending.items())}

    def _finish(self) -> None:
        self._finished = True
        for sink in (self._documents, self._rejects, self._attributes, self._quarantine):
            if sink is not None:
                sink.finish()

    def _abandon(self) -> None:
        """After an error: end the writers while their files are open, so that none writes when it is collected."""
        if not self._finished:
            with suppress(DolminoError, OSError, ValueError):
                self._finish()

    def _empty_attributes(self) -> Sidecar:
        fields = [("id", pa.large_string()), ("line", pa.int64())]
        for measure in self._task.recipe.measures:
            fields += [(name, kind or pa.float64()) for name, kind in columns(measure).items()]
        if self._task.options.decide:
            fields += [("kept", pa.bool_()), ("reason", pa.string())]
        return Sidecar(self._create(f"attributes/{attributes_name(self._task.shard.name)}"), pa.schema(fields))

    def _create(self, name: str) -> Pending:
        pending = self._unfinished.enter_context(self._output.create(name))
        self._unfinished.callback(self._abandon)  # runs before `pending` is closed and discarded
        self._pending[name] = pending
        return pending
