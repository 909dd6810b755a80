"""One output part, made to appear: tokens, rows, documents, and which windows repeat themselves.

While a thread hashes and writes one slab of tokens, the next is read, and another thread writes the rows.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from dolmino_cli.mix import written_parts
from dolmino_cli.mix.lock import MixPart
from dolmino_cli.mix.provenance import SCHEMA, provenance_name, write_provenance
from dolmino_cli.mix.sampling.gather import Gathered, Slice, gather
from dolmino_cli.mix.sampling.repeated import WindowSearch
from dolmino_cli.mix.sampling.rows import write_rows
from dolmino_cli.mix.sampling.token_files import TokenFiles, read_in_order
from dolmino_cli.mix.windows import pack_windows, repeated_name
from dolmino_cli.mix.written_parts import WrittenPart
from dolmino_cli.shards.ledger import OutputFile
from dolmino_cli.shards.storage import Output, Pending
from dolmino_cli.tokens.arrays import numpy_dtype


@dataclass(frozen=True, kw_only=True)
class PartTask:
    """One part of the mix to write; `sources` are their names in the manifest's order."""

    part: int
    slices: tuple[Slice, ...]
    token_files: tuple[Path, ...]
    sources: tuple[str, ...]
    sequence_length: int
    dtype: Literal["uint16", "uint32"]
    output: Output
    request_sha256: str
    """Hash of what decides the mix's bytes."""

    @property
    def name(self) -> str:
        """Of its array."""
        return f"part-{self.part:05d}.npy"


def written_part(task: PartTask) -> WrittenPart | None:
    """The part, if its files are there already."""
    return written_parts.load(task.output, task.request_sha256, task.name)


def write_part(task: PartTask) -> WrittenPart:
    """Write the part's four files, and last that they are there; nothing where they are."""
    return written_part(task) or _write(task)


def _write(task: PartTask) -> WrittenPart:
    gathered = gather(task.slices)
    name = task.name
    ends = np.cumsum(gathered.lengths)
    with ExitStack() as stack:
        array, index, documents, repeated = (
            stack.enter_context(task.output.create(file))
            for file in (name, f"{name.removesuffix('.npy')}.csv.gz", provenance_name(name), repeated_name(name))
        )
        rows_writer, array_writer = (stack.enter_context(ThreadPoolExecutor(1)) for _ in range(2))
        rows = rows_writer.submit(_write_documents, gathered, ends, task.sources, index, documents)
        windows = _write_tokens(task, gathered, array, array_writer)
        rows.result()
        repeated.write(pack_windows(windows))
        # The array last: whoever finds it finds its documents.
        for pending in (repeated, documents, index, array):
            pending.publish()
        part = MixPart(
            name=name,
            tokens=int(ends[-1]),
            documents=len(ends),
            bytes=array.bytes,
            sha256=array.sha256,
            index_sha256=index.sha256,
            documents_sha256=documents.sha256,
            repeated_sha256=repeated.sha256,
            windows=len(windows),
            repeated_windows=int(windows.sum()),
        )
    counts = np.bincount(gathered.source[gathered.repeated], minlength=len(task.sources))
    written = WrittenPart(part=part, repeated_ids=counts)
    pendings = zip(part.file_names, (array, index, documents, repeated), strict=True)
    files = {name: OutputFile(bytes=pending.bytes, sha256=pending.sha256) for name, pending in pendings}
    written_parts.save(task.output, task.request_sha256, written, files)
    return written


def _write_tokens(task: PartTask, gathered: Gathered, array: Pending, writer: ThreadPoolExecutor) -> np.ndarray:
    """Write the array; which of its windows repeat themselves."""
    dtype = numpy_dtype(task.dtype)
    search = WindowSearch(task.sequence_length, dtype)

    def write(tokens: np.ndarray) -> None:
        array.write(tokens)
        search.add(tokens)

    written: Future[None] | None = None
    with TokenFiles(task.token_files) as files:
        for tokens in read_in_order(files, gathered, dtype):
            if written is not None:
                written.result()
            written = writer.submit(write, tokens)
    if written is not None:
        written.result()
    array.close()
    return search.found()


def _write_documents(gathered: Gathered, ends: np.ndarray, sources: tuple[str, ...], index: Pending, documents: Pending) -> None:
    write_rows(index, ends, gathered, sources)
    columns = {"key": gathered.keys, "end": ends, "source": gathered.source, "copy": gathered.copy}
    columns |= {"id": gathered.id, "src": gathered.src.dictionary_encode(), "loc": gathered.loc}
    batch = pa.RecordBatch.from_arrays([pa.array(columns[name]) for name in SCHEMA.names], schema=SCHEMA)
    write_provenance(documents, batch)
