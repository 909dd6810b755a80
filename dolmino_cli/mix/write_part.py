"""One output part, gathered from scratch and made to appear: tokens, rows, and what is in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from dolmino_cli.executors.counters import advance
from dolmino_cli.mix.gather import Gathered, Scattered, gather
from dolmino_cli.mix.rows import write_rows
from dolmino_cli.mix.scatter import WRITE_BUFFER_BYTES, write_documents
from dolmino_cli.shards.storage import Output
from dolmino_cli.tokens.arrays import ArrayFile, numpy_dtype


@dataclass(frozen=True, kw_only=True)
class PartTask:
    """One part of the mix to write."""

    scratch: Path
    scattered: tuple[Scattered, ...]
    part: int
    parts: int
    sources: int
    dtype: Literal["uint16", "uint32"]
    output: Output


@dataclass(frozen=True, kw_only=True)
class WrittenPart:
    """A part that has appeared; `repeated_ids` counts, per source, documents whose id the one before them has."""

    file: ArrayFile
    repeated_ids: np.ndarray


def write_part(task: PartTask) -> WrittenPart | None:
    """Write part-NNNNN.npy and .csv.gz; None, and no file, for a slice of the key space without documents."""
    gathered = gather(task.scratch, task.scattered, part=task.part, parts=task.parts, dtype=numpy_dtype(task.dtype).str)
    if len(gathered.lengths) == 0:
        return None
    stem = f"part-{task.part:05d}"
    with task.output.create(f"{stem}.npy") as array, task.output.create(f"{stem}.csv.gz") as index:
        buffer = np.empty(WRITE_BUFFER_BYTES // gathered.tokens.itemsize, gathered.tokens.dtype)
        write_documents(gathered.tokens, gathered.starts, gathered.lengths, buffer, array.write)
        array.close()
        write_rows(index, np.cumsum(gathered.lengths), gathered.id, gathered.src, gathered.loc)
        # The index first: whoever finds the array finds its documents.
        index.publish()
        array.publish()
        file = ArrayFile(
            name=f"{stem}.npy",
            tokens=len(gathered.tokens),
            documents=len(gathered.lengths),
            bytes=array.bytes,
            sha256=array.sha256,
            index_sha256=index.sha256,
        )
    advance(documents=file.documents, bytes=file.bytes)
    return WrittenPart(file=file, repeated_ids=_count(gathered, task.sources))


def _count(gathered: Gathered, sources: int) -> np.ndarray:
    return np.bincount(gathered.source[gathered.repeated], minlength=sources)
