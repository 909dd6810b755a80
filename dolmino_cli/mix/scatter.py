"""First half of the external shuffle: a source file's selected documents, chunk by chunk in the mix's order, to scratch.

One task per source file. Each chunk (CHUNK_BYTES of tokens) is held in memory, its selected documents are sorted by their
order key and written one after another; a table beside them says each document's key, place and provenance. So the
second half (gather) finds what any slice of the key space needs as one contiguous piece per chunk and copy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from dolmino_cli.executors.counters import advance
from dolmino_cli.kernels.copy_documents import copy_documents
from dolmino_cli.kernels.keyed_hash import hash_strings
from dolmino_cli.mix.keys import order_key, selection_key
from dolmino_cli.mix.reading import Documents, SourceFile, read_chunks
from dolmino_cli.mix.select import Selection
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.tokens.arrays import numpy_dtype

WRITE_BUFFER_BYTES = 8 << 20

SCHEMA = pa.schema(
    [
        ("key", pa.uint64()),
        ("offset", pa.int64()),  # where the document begins in the scratch file, in tokens
        ("length", pa.int64()),  # tokens
        ("id", pa.large_string()),
        ("src", pa.large_string()),  # as the source's own row has it
        ("loc", pa.int64()),
        ("copy", pa.uint16()),  # which pass over the source
    ]
)


@dataclass(frozen=True, kw_only=True)
class ScatterTask:
    """One source file to bring into the mix's order."""

    file: SourceFile
    selection: Selection
    seed: int
    scratch: Path
    name: str
    """Of its scratch files, unique in the run."""


def tokens_path(scratch: Path, name: str) -> Path:
    """Scratch file of tokens."""
    return scratch / f"{name}.tokens"


def table_path(scratch: Path, name: str) -> Path:
    """Scratch file of documents (Arrow IPC): one record batch per chunk and copy, each sorted by key."""
    return scratch / f"{name}.arrow"


def scatter(task: ScatterTask) -> tuple[int, int]:
    """Run one task; returns (documents, tokens) written, copies counted.

    Raises DataError when the source file is not what its arrays.json says, StorageError when scratch can't be written.
    """
    documents = tokens = 0
    with (
        storage_errors("write scratch for", f"{task.file.path} in {task.scratch}"),
        tokens_path(task.scratch, task.name).open("wb", buffering=0) as out,
        pa.OSFile(str(table_path(task.scratch, task.name)), "wb") as table_file,
        pa.ipc.new_file(table_file, SCHEMA) as table,
    ):
        for batch in _scattered(task, out):
            table.write_batch(batch)
            documents += len(batch)
            tokens += int(batch.column("length").to_numpy().sum())
    return documents, tokens


def _scattered(task: ScatterTask, out: BinaryIO) -> Iterator[pa.RecordBatch]:
    """Writes tokens to `out`, yields the table of what was written."""
    dtype = numpy_dtype(task.file.dtype)
    buffer = np.empty(WRITE_BUFFER_BYTES // dtype.itemsize, dtype)
    written = 0
    for documents, tokens in read_chunks(task.file):
        starts = np.cumsum(documents.lengths) - documents.lengths
        ranks = hash_strings(documents.id, selection_key(task.seed, task.file.source))
        copies = task.selection.copies_of(ranks, file=task.file.number, first_row=documents.first_row)
        for copy, mask in enumerate(copies):
            batch, order = _in_order(documents, mask, copy, order_key(task.seed, task.file.source, copy), written)
            if len(order) == 0:
                continue
            write_documents(tokens, starts[order], documents.lengths[order], buffer, partial(_write_all, out))
            written += int(documents.lengths[order].sum())
            yield batch
        advance(documents=len(documents), bytes=tokens.nbytes)


def _in_order(documents: Documents, mask: np.ndarray, copy: int, key: bytes, offset: int) -> tuple[pa.RecordBatch, np.ndarray]:
    """The masked documents sorted by their hash under `key` (then row), and their positions; tokens begin at `offset`."""
    chosen = np.flatnonzero(mask)
    keys = hash_strings(documents.id.take(pa.array(chosen)), key)
    by_key = np.argsort(keys, kind="stable")
    order = chosen[by_key]
    lengths = documents.lengths[order]
    taken = pa.array(order)
    columns = [
        pa.array(keys[by_key]),
        pa.array(offset + np.cumsum(lengths) - lengths),
        pa.array(lengths),
        documents.id.take(taken),
        documents.src.take(taken),
        documents.loc.take(taken),
        pa.array(np.full(len(order), copy, np.uint16)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA), order


def write_documents(
    tokens: np.ndarray, starts: np.ndarray, lengths: np.ndarray, buffer: np.ndarray, write: Callable[[memoryview], object]
) -> None:
    """Write the documents tokens[start : start + length] one after another, through `buffer`, which is reused."""
    ends = np.cumsum(lengths)
    first = 0
    while first < len(lengths):
        before = int(ends[first]) - int(lengths[first])
        stop = int(np.searchsorted(ends, before + len(buffer), side="right"))
        if stop == first:  # A document larger than the buffer is contiguous as it is.
            write(tokens[starts[first] : starts[first] + lengths[first]].view(np.uint8).data)
            first += 1
            continue
        filled = buffer[: int(ends[stop - 1]) - before]
        copy_documents(tokens, starts[first:stop], lengths[first:stop], filled)
        write(filled.view(np.uint8).data)
        first = stop


def _write_all(out: BinaryIO, view: memoryview) -> None:
    while len(view):  # An unbuffered write may be partial.
        view = view[out.write(view) :]
