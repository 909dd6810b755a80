"""What a shard, or a part of one, writes: documents, rejects, attributes, quarantine; everything appears at the end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Literal

import pyarrow as pa

from dolmino_cli.documents import Batch
from dolmino_cli.errors import DolminoError
from dolmino_cli.pipeline.evaluate import Evaluated, columns
from dolmino_cli.pipeline.names import attributes_name, documents_name, quarantine_name
from dolmino_cli.pipeline.sidecar import QUARANTINE_SCHEMA, Sidecar, quarantine_rows
from dolmino_cli.pipeline.task import ShardTask
from dolmino_cli.shards.formats import suffix_of
from dolmino_cli.shards.ledger import OutputFile
from dolmino_cli.shards.reading import Quarantined
from dolmino_cli.shards.storage import Output, Pending
from dolmino_cli.shards.writing import DocumentWriter

Kind = Literal["documents", "rejects", "attributes", "quarantine"]


def final_names(task: ShardTask) -> dict[Kind, str]:
    """Names in the output of what the task writes."""
    name, documents = task.shard.name, documents_name(task.shard.name, task.options.format)
    return {
        "documents": f"documents/{documents}",
        "rejects": f"rejects/{documents}",
        "attributes": f"attributes/{attributes_name(name)}",
        "quarantine": f"quarantine/{quarantine_name(name)}",
    }


def part_names(task: ShardTask, number: int) -> dict[Kind, str]:
    """Names in the output of what part `number` of the task's shard writes."""
    folder = f"parts/{task.shard.name}/{number:05d}"
    suffix = suffix_of(documents_name(task.shard.name, task.options.format))
    return {
        "documents": f"{folder}/documents{suffix}",
        "rejects": f"{folder}/rejects{suffix}",
        "attributes": f"{folder}/attributes.parquet",
        "quarantine": f"{folder}/quarantine.parquet",
    }


class Sinks:
    """The pending outputs under `names`: opened as needed, published together."""

    def __init__(self, task: ShardTask, unfinished: ExitStack, names: dict[Kind, str]) -> None:
        self._task, self._unfinished, self._names = task, unfinished, names
        self._output = Output(task.output)
        self._pending: dict[Kind, Pending] = {}
        self._attributes: Sidecar | None = None
        self._quarantine: Sidecar | None = None
        self._finished = False
        self._documents = self._writer("documents") if task.options.decide else None
        self._rejects = self._writer("rejects") if task.options.decide and task.options.rejects else None

    def write(self, batch: Batch, outcome: Evaluated) -> None:
        """Add a batch and what became of it."""
        attributes = outcome.attributes(batch)
        if not self._task.options.decide:
            attributes = attributes.drop_columns(["kept", "reason"])
        if self._attributes is None:
            self._attributes = Sidecar(self._create("attributes"), attributes.schema)
        self._attributes.write(attributes)
        if self._documents is not None:
            self._documents.write(outcome.documents.record)
        if self._rejects is not None:
            self._rejects.write(batch.where(~outcome.kept).record)

    def quarantine(self, records: Sequence[Quarantined]) -> None:
        """Add records that are set aside."""
        if not records:
            return
        if self._quarantine is None:
            self._quarantine = Sidecar(self._create("quarantine"), QUARANTINE_SCHEMA)
        self._quarantine.write(quarantine_rows(self._task.shard.path, records))

    def move_to(self, names: dict[Kind, str]) -> None:
        """Publish under other names than were begun with."""
        self._names = names
        for kind, pending in self._pending.items():
            pending.move_to(self._output.path(names[kind]))

    def publish(self) -> dict[str, OutputFile]:
        """Finish every file and make it appear; returns what was written, by name."""
        if self._attributes is None:
            self._attributes = self._empty_attributes()
        self._finish()
        for pending in self._pending.values():
            pending.close()
        for pending in self._pending.values():
            pending.publish()
        written = {self._names[kind]: pending for kind, pending in self._pending.items()}
        return {name: OutputFile(bytes=pending.bytes, sha256=pending.sha256) for name, pending in sorted(written.items())}

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
        return Sidecar(self._create("attributes"), pa.schema(fields))

    def _writer(self, kind: Kind) -> DocumentWriter:
        return DocumentWriter(self._create(kind), self._names[kind], zstd_level=self._task.options.zstd_level)

    def _create(self, kind: Kind) -> Pending:
        pending = self._unfinished.enter_context(self._output.create(self._names[kind]))
        self._unfinished.callback(self._abandon)  # runs before `pending` is closed and discarded
        self._pending[kind] = pending
        return pending
