"""Run the selection over the index files of all sources: what every source gives to a mix, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dolmino_cli.executors.local import run_tasks
from dolmino_cli.kernels.keyed_hash import hash_strings
from dolmino_cli.mix.keys import selection_key
from dolmino_cli.mix.plan import MixPlan
from dolmino_cli.mix.reading import SourceFile, read_documents
from dolmino_cli.mix.select import (
    Boundary,
    BoundaryDocuments,
    Histogram,
    Selection,
    find_boundary,
    find_last,
    in_boundary,
    whole_passes,
)

# What the workers of all phases of a sample import before they are forked.
PRELOAD = ("dolmino_cli.mix.choose", "dolmino_cli.mix.write_part")


@dataclass(frozen=True, kw_only=True)
class _MeasureTask:
    file: SourceFile
    seed: int


@dataclass(frozen=True, kw_only=True)
class _BoundaryTask:
    file: SourceFile
    seed: int
    boundary: Boundary


def choose(mix: MixPlan, files: Sequence[SourceFile], *, seed: int, workers: int) -> dict[str, Selection]:
    """The selection of every source of the plan, whose populations must be those of `files`. Raises DataError."""
    wanted: dict[str, tuple[int, int]] = {}
    held = dict.fromkeys((source.name for source in mix.sources), 0)
    for file in files:
        held[file.source] += file.array.tokens
    for source in mix.sources:
        wanted[source.name] = whole_passes(source.tokens, held[source.name])
    partial = [file for file in files if wanted[file.source][1]]
    histograms = {file.source: Histogram() for file in partial}
    measuring = [_MeasureTask(file=file, seed=seed) for file in partial]
    for measured, histogram in run_tasks(_measure, measuring, workers=workers, preload=PRELOAD):
        histograms[measured.file.source].add(histogram)
    boundaries = {name: find_boundary(histogram, wanted[name][1]) for name, histogram in histograms.items()}
    near: dict[str, list[BoundaryDocuments]] = {name: [] for name in boundaries}
    nearing = [_BoundaryTask(file=file, seed=seed, boundary=boundaries[file.source]) for file in partial]
    for neared, documents in run_tasks(_documents_near, nearing, workers=workers, preload=PRELOAD):
        near[neared.file.source].append(documents)
    selections = {}
    for source in mix.sources:
        passes, rest = wanted[source.name]
        last, documents_taken, tokens_taken = None, 0, 0
        if rest:
            last, documents_taken, tokens_taken = find_last(boundaries[source.name], near[source.name], rest)
        selections[source.name] = Selection(
            passes=passes,
            last=last,
            documents=passes * sum(file.array.documents for file in files if file.source == source.name) + documents_taken,
            tokens=passes * held[source.name] + tokens_taken,
        )
    return selections


def _measure(task: _MeasureTask) -> Histogram:
    histogram = Histogram()
    key = selection_key(task.seed, task.file.source)
    for documents in read_documents(task.file):
        histogram.add_documents(hash_strings(documents.id, key), documents.lengths)
    return histogram


def _documents_near(task: _BoundaryTask) -> BoundaryDocuments:
    key = selection_key(task.seed, task.file.source)
    keys, rows, lengths = [np.empty(0, np.uint64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for documents in read_documents(task.file):
        hashes = hash_strings(documents.id, key)
        near = in_boundary(hashes, task.boundary)
        keys.append(hashes[near])
        rows.append(documents.first_row + near)
        lengths.append(documents.lengths[near])
    return BoundaryDocuments(
        file=task.file.number, keys=np.concatenate(keys), rows=np.concatenate(rows), lengths=np.concatenate(lengths)
    )
