"""Run the selection over the index files of all sources: what every source gives to a mix, in bounded memory.

    index ──survey──▶ histogram, tables of kept documents ──near the boundary──▶ the last document taken

Every index is read once: what is kept of a partial pass is a little more than will be taken (or, where only the selection is
wanted, what lies around its end). Should the hashes of a source be so uneven that it is too little, that source is read again
and kept whole.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from dolmino_cli.executors.attempt import attempt_all
from dolmino_cli.executors.executor import Executor, Phase
from dolmino_cli.mix.plan import MixPlan
from dolmino_cli.mix.reading import SourceFile, read_documents
from dolmino_cli.mix.sampling import PRELOAD
from dolmino_cli.mix.sampling.kept import read_columns
from dolmino_cli.mix.sampling.records import recall, remembered
from dolmino_cli.mix.sampling.select import (
    PREFIXES,
    Boundary,
    BoundaryDocuments,
    Histogram,
    Selection,
    find_boundary,
    find_last,
    in_boundary,
    whole_passes,
)
from dolmino_cli.mix.sampling.survey import Kept, Reader, SurveyTask, survey
from dolmino_cli.shards.failures import storage_errors

# Of a source with fewer documents all are kept: there a share's hashes can lie far from where they should.
SMALL_SOURCE_DOCUMENTS = 1 << 18
# How much more than the share is kept of a larger one, in parts of it and of the whole.
_SLACK, _SLACK_OF_ALL = 0.05, 0.002

TABLE_BYTES = 32 << 20

Watch = Callable[[str, int, str], AbstractContextManager[Callable[[int, str], None]]]
"""(what, total, unit) -> a context that is called with (done, more to say), to show progress."""


def unwatched(what: str, total: int, unit: str) -> AbstractContextManager[Callable[[int, str], None]]:
    """Shows nothing."""
    return nullcontext(lambda done, more: None)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What every source gives, and the tables of all kept documents, per source in the order of its files."""

    selections: dict[str, Selection]
    tables: dict[str, tuple[Kept, ...]]


@dataclass(frozen=True, kw_only=True)
class Survey:
    """How files are read: what `SurveyTask` says of all of them alike."""

    seed: int
    scratch: Path
    table_bytes: int = TABLE_BYTES
    check_tokens: bool = True
    keep_taken: bool = True
    """Are all documents kept that may be taken, or only those that may be the last of a partial pass?"""
    copied: frozenset[str] = field(default_factory=frozenset)
    """Paths of the files whose tokens are copied to scratch."""
    reader: Reader = read_documents


def choose(
    mix: MixPlan, files: Sequence[SourceFile], executor: Executor, *, seed: int, watch: Watch = unwatched
) -> dict[str, Selection]:
    """The selection of every source of the plan, whose populations must be those of `files`. Raises DataError.

    Reads indexes only: tokens are neither read nor checked.
    """
    with storage_errors("make a scratch folder in", f"{tempfile.gettempdir()} (TMPDIR chooses it)"):
        scratch = Path(tempfile.mkdtemp(prefix="dolmino-choose-"))
    try:
        how = Survey(seed=seed, scratch=scratch, check_tokens=False, keep_taken=False)
        return choose_and_keep(mix, files, how, executor, watch=watch).selections
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def choose_and_keep(
    mix: MixPlan, files: Sequence[SourceFile], how: Survey, executor: Executor, *, watch: Watch = unwatched
) -> Chosen:
    """As `choose`, leaving tables of the documents that may be taken (a superset of those that are) in scratch."""
    tokens, documents = (dict.fromkeys((source.name for source in mix.sources), 0) for _ in range(2))
    for file in files:
        tokens[file.source] += file.array.tokens
        documents[file.source] += file.array.documents
    wanted = {source.name: whole_passes(source.tokens, tokens[source.name]) for source in mix.sources}
    kept = {}
    for name, (passes, rest) in wanted.items():
        kept[name] = _last_prefixes(rest / tokens[name], documents[name]) if rest else range(0)
        if how.keep_taken:
            kept[name] = range(PREFIXES if passes else kept[name].stop)
    numbered = list(enumerate(files))
    histograms, tables = _survey("survey", numbered, how, kept, executor, watch=watch)
    boundaries = {name: find_boundary(histograms[name], rest) for name, (_, rest) in wanted.items() if rest}
    if short := [name for name, boundary in boundaries.items() if boundary.prefix not in kept[name]]:
        again = [(place, file) for place, file in numbered if file.source in short]
        _, more = _survey("survey again", again, how, dict.fromkeys(short, range(PREFIXES)), executor, watch=watch)
        tables |= more
    near: dict[str, list[BoundaryDocuments]] = {name: [] for name in boundaries}
    nearing = [_NearTask(table=table, boundary=boundaries[name]) for name in boundaries for table in tables[name]]
    phase = Phase(name="boundary", name_of=lambda task: task.table.path.name, recorded=lambda task: recall(task.record))
    for task, found in attempt_all(executor, _documents_near, nearing, what="tables", phase=phase, preload=PRELOAD):
        near[task.table.file.source].append(found)
    selections = {}
    for source in mix.sources:
        passes, rest = wanted[source.name]
        last, documents_taken, tokens_taken = None, 0, 0
        if rest:
            last, documents_taken, tokens_taken = find_last(boundaries[source.name], near[source.name], rest)
        selections[source.name] = Selection(
            passes=passes,
            last=last,
            documents=passes * documents[source.name] + documents_taken,
            tokens=passes * tokens[source.name] + tokens_taken,
        )
    return Chosen(selections=selections, tables=tables)


def _last_prefixes(share: float, documents: int) -> range:
    """The hash prefixes in which a partial pass over `share` of a source's tokens ends, all but certainly."""
    if documents < SMALL_SOURCE_DOCUMENTS:
        return range(PREFIXES)
    slack = share * _SLACK + _SLACK_OF_ALL
    return range(max(0, int((share - slack) * PREFIXES)), min(PREFIXES, int((share + slack) * PREFIXES) + 1))


@dataclass(frozen=True, kw_only=True)
class _NearTask:
    table: Kept
    boundary: Boundary

    @property
    def record(self) -> Path:
        return self.table.path.with_suffix(".near")


def _documents_near(task: _NearTask) -> BoundaryDocuments:
    return remembered(task.record, lambda: _read_near(task))


def _read_near(task: _NearTask) -> BoundaryDocuments:
    ranks, rows, lengths = read_columns(task.table.path, ("rank", "row", "length"))
    near = in_boundary(ranks, task.boundary)
    return BoundaryDocuments(file=task.table.file.number, keys=ranks[near], rows=rows[near], lengths=lengths[near])


def _survey(
    named: str,
    files: Sequence[tuple[int, SourceFile]],
    how: Survey,
    kept: Mapping[str, range],
    executor: Executor,
    *,
    watch: Watch,
) -> tuple[dict[str, Histogram], dict[str, tuple[Kept, ...]]]:
    tasks = [
        SurveyTask(
            file=file,
            place=place,
            seed=how.seed,
            kept=kept[file.source],
            scratch=how.scratch,
            table_bytes=how.table_bytes,
            check_tokens=how.check_tokens,
            copy_tokens=file.path in how.copied,
            reader=how.reader,
        )
        for place, file in files
    ]
    histograms = {name: Histogram() for name in kept}
    tables: dict[str, dict[int, tuple[Kept, ...]]] = {name: {} for name in kept}
    done = 0
    with watch("read", sum(file.array.documents for _, file in files), "documents") as say:
        say(0, "")
        phase = Phase(name=named, name_of=lambda task: task.name, recorded=lambda task: recall(task.record))
        for task, surveyed in attempt_all(executor, survey, tasks, what="files", phase=phase, preload=PRELOAD):
            histograms[task.file.source].add(surveyed.histogram)
            tables[task.file.source][task.file.number] = surveyed.tables
            done += task.file.array.documents
            say(done, task.file.source)
    ordered = {name: tuple(table for number in sorted(found) for table in found[number]) for name, found in tables.items()}
    return histograms, ordered
