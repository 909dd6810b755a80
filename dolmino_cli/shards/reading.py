"""A shard of any format -> batches of documents, in bounded memory whatever the shard's size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dolmino_cli.documents import BATCH_BYTES, Batch
from dolmino_cli.shards import jsonl
from dolmino_cli.shards.faults import OnError, Quarantined
from dolmino_cli.shards.formats import format_of
from dolmino_cli.shards.read_options import MAX_DOCUMENT_BYTES, ReadOptions
from dolmino_cli.shards.rows import RowLayout
from dolmino_cli.shards.shard import Shard

__all__ = ["OnError", "Quarantined", "read_batches"]


def read_batches(
    shard: Shard | str,
    *,
    on_error: OnError = "fail",
    batch_bytes: int = BATCH_BYTES,
    records: bool = True,
    rows: Sequence[RowLayout] = (),
    max_document_bytes: int = MAX_DOCUMENT_BYTES,
) -> Iterator[tuple[Batch, list[Quarantined]]]:
    """The documents of a shard in order, about `batch_bytes` (decompressed) at a time, each with the records set aside.

    `on_error="fail"`: the first record that is no document raises DataError with path and line; only what is too
    large is set aside.
    `on_error="quarantine"`: such records are returned beside the batch (which may then have no documents), and reading
    goes on. A file that is cut or damaged keeps what was read before; its unfinished record, even one of 0 bytes, is
    set aside with a reason that says "truncated" or "corrupt".

    Blank lines count in line numbers and are otherwise passed over. An empty plain file has no documents; so has an
    empty content in a valid gzip or zstd frame, but a compressed file of 0 bytes is truncated.
    With `rows`, a record that is no document but has the columns of one of these layouts becomes one.
    A record of more than `max_document_bytes` is set aside without its bytes, with `on_error="fail"` too.
    Without `records` the batches' `record` is null: 5 % faster for who writes no documents.
    Raises DataError, StorageError, and ConfigError for an unknown suffix. `Batch.shard` is the shard's path.
    """
    path = shard.path if isinstance(shard, Shard) else shard
    options = ReadOptions(
        on_error=on_error, batch_bytes=batch_bytes, records=records, rows=rows, max_document_bytes=max_document_bytes
    )
    if format_of(path).kind == "parquet":
        from dolmino_cli.shards import parquet  # pyarrow.parquet takes 50 ms to import

        return parquet.read(path, options)
    return jsonl.read(path, options)
