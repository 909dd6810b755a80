"""How a shard is read: what every reader of documents must know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dolmino_cli.documents import BATCH_BYTES
from dolmino_cli.shards.faults import OnError
from dolmino_cli.shards.rows import RowLayout

MAX_DOCUMENT_BYTES = 128 << 20


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """See `reading.read_batches`, whose arguments these are."""

    on_error: OnError = "fail"
    batch_bytes: int = BATCH_BYTES
    records: bool = True
    rows: Sequence[RowLayout] = ()
    max_document_bytes: int = MAX_DOCUMENT_BYTES
