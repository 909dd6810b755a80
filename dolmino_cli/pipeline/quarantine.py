"""Unreadable records of a shard, kept beside the results so that nothing is lost."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from dolmino_cli.shards.ledger import OutputFile
from dolmino_cli.shards.reading import Quarantined
from dolmino_cli.shards.shard import Shard
from dolmino_cli.shards.storage import Output, Pending

if TYPE_CHECKING:
    from dolmino_cli.pipeline.sidecar import Sidecar


class Quarantine:
    """`quarantine/<shard>.parquet`, with the unreadable records of one shard; no file where there are none.

    A context manager: what was not published is discarded.
    """

    def __init__(self, shard: Shard, output: Output) -> None:
        self._shard, self._output, self._name = shard, output, f"quarantine/{shard.name}.parquet"
        self._pending: Pending | None = None
        self._sidecar: Sidecar | None = None

    def add(self, records: Sequence[Quarantined]) -> None:
        """Keep the records: their bytes, file, line, and why."""
        if not records:
            return
        from dolmino_cli.pipeline.sidecar import QUARANTINE_SCHEMA, Sidecar, quarantine_rows  # with pyarrow.parquet: 50 ms

        if self._sidecar is None:
            self._pending = self._output.create(self._name)
            self._sidecar = Sidecar(self._pending, QUARANTINE_SCHEMA)
        self._sidecar.write(quarantine_rows(self._shard.path, records))

    def publish(self) -> dict[str, OutputFile]:
        """Make the file appear; returns its name and what it is, or nothing."""
        if self._sidecar is None or self._pending is None:
            return {}
        self._sidecar.finish()
        self._pending.publish()
        return {self._name: OutputFile(bytes=self._pending.bytes, sha256=self._pending.sha256)}

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pending is not None:
            self._pending.discard()
