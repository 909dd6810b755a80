"""One output part, gathered from scratch and made to appear: tokens, rows, documents, and which windows repeat themselves."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dolmino_cli.executors.counters import advance
from dolmino_cli.mix.gather import Gathered, Scattered, gather
from dolmino_cli.mix.lock import MixPart
from dolmino_cli.mix.provenance import SCHEMA, provenance_name, write_provenance
from dolmino_cli.mix.repeated import WindowSearch
from dolmino_cli.mix.rows import SOURCE_SEPARATOR, write_rows
from dolmino_cli.mix.scatter import WRITE_BUFFER_BYTES, write_documents
from dolmino_cli.mix.windows import pack_windows, repeated_name
from dolmino_cli.shards.storage import Output, Pending
from dolmino_cli.tokens.arrays import numpy_dtype


@dataclass(frozen=True, kw_only=True)
class PartTask:
    """One part of the mix to write; `sources` are their names in the manifest's order."""

    scratch: Path
    scattered: tuple[Scattered, ...]
    part: int
    parts: int
    sources: tuple[str, ...]
    sequence_length: int
    dtype: Literal["uint16", "uint32"]
    output: Output


@dataclass(frozen=True, kw_only=True)
class WrittenPart:
    """A part that has appeared; `repeated_ids` counts, per source, documents whose id the one before them has."""

    part: MixPart
    repeated_ids: np.ndarray


def write_part(task: PartTask) -> WrittenPart | None:
    """Write the part's four files; None, and no file, for a slice of the key space without documents."""
    gathered = gather(task.scratch, task.scattered, part=task.part, parts=task.parts, dtype=numpy_dtype(task.dtype).str)
    if len(gathered.lengths) == 0:
        return None
    name = f"part-{task.part:05d}.npy"
    ends = np.cumsum(gathered.lengths)
    search = WindowSearch(task.sequence_length, gathered.tokens.dtype)
    with ExitStack() as stack:
        array, index, documents, repeated = (
            stack.enter_context(task.output.create(file))
            for file in (name, f"{name.removesuffix('.npy')}.csv.gz", provenance_name(name), repeated_name(name))
        )
        _write_tokens(gathered, array, search)
        write_rows(index, ends, gathered.id, _mix_src(gathered, task.sources), gathered.loc)
        write_provenance(documents, _documents(gathered, ends))
        windows = search.found()
        repeated.write(pack_windows(windows))
        # The array last: whoever finds it finds its documents.
        for pending in (repeated, documents, index, array):
            pending.publish()
        part = MixPart(
            name=name,
            tokens=len(gathered.tokens),
            documents=len(ends),
            bytes=array.bytes,
            sha256=array.sha256,
            index_sha256=index.sha256,
            documents_sha256=documents.sha256,
            repeated_sha256=repeated.sha256,
            windows=len(windows),
            repeated_windows=int(windows.sum()),
        )
    advance(documents=part.documents, bytes=part.bytes)
    counts = np.bincount(gathered.source[gathered.repeated], minlength=len(task.sources))
    return WrittenPart(part=part, repeated_ids=counts)


def _write_tokens(gathered: Gathered, array: Pending, search: WindowSearch) -> None:
    dtype = gathered.tokens.dtype
    buffer = np.empty(WRITE_BUFFER_BYTES // dtype.itemsize, dtype)

    def write(view: memoryview) -> None:
        array.write(view)
        search.add(np.frombuffer(view, dtype))

    write_documents(gathered.tokens, gathered.starts, gathered.lengths, buffer, write)
    array.close()


def _mix_src(gathered: Gathered, sources: tuple[str, ...]) -> pa.LargeStringArray:
    names = pa.array(sources, pa.large_string()).take(pa.array(gathered.source))
    return pc.binary_join_element_wise(names, gathered.src, pa.scalar(SOURCE_SEPARATOR, pa.large_string()))


def _documents(gathered: Gathered, ends: np.ndarray) -> pa.RecordBatch:
    columns = {"key": gathered.keys, "end": ends, "source": gathered.source, "copy": gathered.copy}
    columns |= {"id": gathered.id, "src": gathered.src.dictionary_encode(), "loc": gathered.loc}
    return pa.RecordBatch.from_arrays([pa.array(columns[name]) for name in SCHEMA.names], schema=SCHEMA)
