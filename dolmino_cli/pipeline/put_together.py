"""The parts of a shard -> the files that a shard has: compressed documents one after the other, tables row by row."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dolmino_cli.pipeline.sidecar import ROW_GROUP_ROWS, Sidecar
from dolmino_cli.pipeline.sinks import Kind, final_names, part_names
from dolmino_cli.pipeline.task import ShardTask
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.formats import format_of
from dolmino_cli.shards.ledger import LedgerEntry, OutputFile
from dolmino_cli.shards.storage import Output, Pending, open_bytes
from dolmino_cli.shards.writing import DocumentWriter

_COPY_BYTES = 1 << 20
_KINDS: tuple[Kind, ...] = ("documents", "rejects", "attributes", "quarantine")


class PartDamaged(Exception):
    """Part `number` has not the bytes that its entry says."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f"part {number}")


def put_together(task: ShardTask, parts: Sequence[LedgerEntry]) -> dict[str, OutputFile]:
    """Write the shard's files from those of its parts, all of them, in order; returns what was written, by name.

    Lines of parts are counted from their own beginnings; here they become those of the shard. Raises PartDamaged, StorageError.
    """
    output, names = Output(task.output), final_names(task)
    lines_before = [0, *accumulate(int(part.counts["lines"]) for part in parts)]
    written: dict[str, Pending] = {}
    with ExitStack() as unfinished:
        for kind in _KINDS:
            with ExitStack() as opened:
                files = [
                    (number, opened.enter_context(_whole(output, name, part.outputs[name], number)))
                    for number, part in enumerate(parts)
                    for name in [part_names(task, number)[kind]]
                    if name in part.outputs
                ]
                if not files:
                    continue
                pending = unfinished.enter_context(output.create(names[kind]))
                written[names[kind]] = pending
                if kind in ("attributes", "quarantine"):
                    _rows(pending, [(path, lines_before[number]) for number, path in files])
                elif format_of(names[kind]).kind == "parquet":
                    _documents(pending, names[kind], [path for _, path in files], task.options.zstd_level)
                else:
                    _bytes(pending, [path for _, path in files])
        for pending in written.values():
            pending.close()
        for pending in written.values():
            pending.publish()
    return {name: OutputFile(bytes=pending.bytes, sha256=pending.sha256) for name, pending in sorted(written.items())}


@contextmanager
def _whole(output: Output, name: str, recorded: OutputFile, number: int) -> Iterator[Path]:
    """A part's file on the local disk, after a look at all of it."""
    local = output.local_path(name)
    if local is not None and not local.is_file():
        raise PartDamaged(number)
    with ExitStack() as stack:
        digest, count = hashlib.sha256(), 0
        path = local
        kept = None
        if path is None:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dolmino-"))) / "part"
            if not output.exists(name):
                raise PartDamaged(number)
            kept = stack.enter_context(path.open("wb"))
        with open_bytes(output.path(name)) as source, storage_errors("read", output.path(name)):
            while piece := source.read(_COPY_BYTES):
                digest.update(piece)
                count += len(piece)
                if kept is not None:
                    kept.write(piece)
        if kept is not None:
            kept.close()
        if (count, digest.hexdigest()) != (recorded.bytes, recorded.sha256):
            raise PartDamaged(number)
        yield path


def _bytes(pending: Pending, paths: Sequence[Path]) -> None:
    """zstd frames, gzip members and plain lines may stand one after the other."""
    for path in paths:
        with storage_errors("read", str(path)), path.open("rb") as file:
            shutil.copyfileobj(file, pending, _COPY_BYTES)


def _documents(pending: Pending, name: str, paths: Sequence[Path], zstd_level: int) -> None:
    writer = DocumentWriter(pending, name, zstd_level=zstd_level)
    if not any(pq.read_metadata(path).num_rows for path in paths):  # no document would say which columns there are
        writer.write(pa.RecordBatch.from_pylist([], pq.read_schema(paths[0])).to_struct_array())
    for path in paths:
        for batch in pq.ParquetFile(path).iter_batches():
            writer.write(batch.to_struct_array())
    writer.finish()


def _rows(pending: Pending, files: Sequence[tuple[Path, int]]) -> None:
    """Tables with a column `line`, to which each file's number is added."""
    schemas = [(pq.ParquetFile(path).metadata.num_rows, pq.ParquetFile(path).schema_arrow) for path, _ in files]
    # A part without documents does not know what type a score has.
    schema = next((schema for rows, schema in schemas if rows), schemas[0][1])
    sidecar = Sidecar(pending, schema)
    for path, lines_before in files:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=ROW_GROUP_ROWS):
            at = batch.schema.get_field_index("line")
            lines = pc.add(batch.column(at), pa.scalar(lines_before, pa.int64()))
            sidecar.write(pa.RecordBatch.from_arrays([*batch.columns[:at], lines, *batch.columns[at + 1 :]], schema=schema))
    sidecar.finish()
