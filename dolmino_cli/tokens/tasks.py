"""The pieces of a retokenize run: a group in one go, or its shards one by one into scratch and the group packed from there.

Both ways give the same files. One go saves a copy; shard by shard keeps more workers busy than there are groups left.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dolmino_cli.shards import ledger
from dolmino_cli.shards.ledger import LedgerEntry, OutputFile
from dolmino_cli.shards.shard import Shard
from dolmino_cli.shards.storage import Output
from dolmino_cli.tokens import progress, scratch
from dolmino_cli.tokens.arrays import ArrayFile, numpy_dtype
from dolmino_cli.tokens.encode import Encoded, Encoding, Position, Tally, encode_shard
from dolmino_cli.tokens.groups import Group
from dolmino_cli.tokens.parts import write_parts
from dolmino_cli.tokens.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Job:
    """What all tasks of a run share; picklable. `recipe` is everything that the arrays depend on besides the input."""

    encoding: Encoding
    dtype: Literal["uint16", "uint32"]
    tokens_per_file: int
    output: Output
    scratch: Output
    recipe: dict[str, Any]

    @property
    def numpy_dtype(self) -> np.dtype[np.unsignedinteger]:
        """Of the arrays."""
        return numpy_dtype(self.dtype)


@dataclass(frozen=True, kw_only=True)
class Task:
    """One group in one go, or (`shard` given) one shard of it into scratch."""

    job: Job
    group: Group
    shard: int | None = None  # place in the group

    @property
    def name(self) -> str:
        """As a run's records name it."""
        return self.group.name if self.shard is None else f"{self.group.name}/{self.shard:06d}"


@dataclass(frozen=True, kw_only=True)
class Packing:
    """One group whose shards are all in scratch; `outcomes` are theirs, by place in the group."""

    job: Job
    group: Group
    outcomes: Mapping[int, Outcome]

    @property
    def name(self) -> str:
        """As a run's records name it."""
        return self.group.name


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Of a task: what it counted, which engine encoded, the ledger entry if the group is finished by it, worker seconds."""

    tally: Tally
    engine: str
    seconds: float
    entry: LedgerEntry | None = None


def run(task: Task) -> Outcome:
    """Do one task. Raises DataError, StorageError."""
    return _encode_group(task.job, task.group) if task.shard is None else _encode_to_scratch(task.job, task.group, task.shard)


def pack(task: Packing) -> LedgerEntry:
    """Finish a group. What it has in scratch stays until the run ends: a worker may have to begin anew. Raises StorageError."""
    started = time.perf_counter()
    job, group = task.job, task.group
    documents = (
        batch
        for place, shard in enumerate(group.shards)
        for batch in scratch.read(job.scratch, _scratch_name(group, place), src=shard.name, dtype=job.numpy_dtype)
    )
    files = write_parts(documents, output=job.output, group=group.number, tokens_per_file=job.tokens_per_file)
    tally = Tally()
    for _, outcome in sorted(task.outcomes.items()):
        tally.add(outcome.tally)
    seconds = {"encode": sum(outcome.seconds for outcome in task.outcomes.values()), "pack": time.perf_counter() - started}
    return _finish(job, group, files, tally, task.outcomes[0].engine, seconds)


def _encode_group(job: Job, group: Group) -> Outcome:
    started = time.perf_counter()
    begun = progress.load(job.output, group.name, job.recipe, group_identity(group))
    tally, position = Tally(), Position()
    tally.add(begun.position.tally)

    def full(files: Sequence[ArrayFile], row: int) -> None:
        reached = Progress(files=files, position=position, row=row)
        progress.save(job.output, group.name, job.recipe, group_identity(group), reached)

    files = write_parts(
        _documents_from(begun.position, job, group, tally, position),
        output=job.output,
        group=group.number,
        tokens_per_file=job.tokens_per_file,
        before=begun.files,
        first_row=begun.row,
        full=full,
    )
    seconds, engine = time.perf_counter() - started, job.encoding.load().description
    entry = _finish(job, group, files, tally, engine, {"encode": seconds})
    return Outcome(tally=tally, engine=engine, seconds=seconds, entry=entry)


def _encode_to_scratch(job: Job, group: Group, place: int) -> Outcome:
    started = time.perf_counter()
    tally = Tally()
    scratch.save(_documents(job, group.shards[place], tally), job.scratch, _scratch_name(group, place))
    return Outcome(tally=tally, engine=job.encoding.load().description, seconds=time.perf_counter() - started)


def outcome_of(entry: LedgerEntry) -> Outcome:
    """What a process needs to know of a group that another one finished."""
    return Outcome(tally=Tally(), engine=entry.engine["tokenizer"], seconds=sum(entry.seconds.values()), entry=entry)


def _documents(job: Job, shard: Shard, tally: Tally) -> Iterator[Encoded]:
    return encode_shard(shard, job.encoding, job.numpy_dtype, job.output, tally)


def _documents_from(start: Position, job: Job, group: Group, tally: Tally, position: Position) -> Iterator[Encoded]:
    for place in range(start.place, len(group.shards)):
        done_batches = start.batch if place == start.place else 0
        yield from encode_shard(
            group.shards[place],
            job.encoding,
            job.numpy_dtype,
            job.output,
            tally,
            place=place,
            position=position,
            done_batches=done_batches,
        )


def _scratch_name(group: Group, place: int) -> str:
    return f"{group.name}/{place:06d}"


def _finish(job: Job, group: Group, files: list[ArrayFile], tally: Tally, engine: str, seconds: dict[str, float]) -> LedgerEntry:
    outputs = {file.name: OutputFile(bytes=file.bytes, sha256=file.sha256) for file in files}
    entry = LedgerEntry(
        name=group.name,
        recipe=job.recipe,
        input=group_identity(group),
        counts={
            "in": tally.read,
            "kept": tally.tokenised,
            "dropped": {"empty": tally.empty},
            "quarantined": tally.quarantined,
            "files": [{"name": file.name, "documents": file.documents, "index_sha256": file.index_sha256} for file in files],
        },
        bytes={"text": tally.text_bytes, "arrays": sum(file.bytes for file in files)},
        outputs=outputs | tally.quarantine_files,
        seconds={name: round(value, 4) for name, value in seconds.items()},
        engine={"tokenizer": engine},
    )
    ledger.save(job.output, entry)
    if len(files) > 1:
        progress.forget(job.output, group.name)
    return entry


def group_identity(group: Group) -> dict[str, Any]:
    """The group's inputs as its ledger entry keeps them."""
    return {"shards": [{"name": shard.name, **ledger.input_identity(shard)} for shard in group.shards]}


def files_of(entry: LedgerEntry, item_bytes: int) -> list[ArrayFile]:
    """The arrays that a finished group has, from its ledger entry."""
    return [
        ArrayFile(
            name=file["name"],
            tokens=entry.outputs[file["name"]].bytes // item_bytes,
            documents=file["documents"],
            bytes=entry.outputs[file["name"]].bytes,
            sha256=entry.outputs[file["name"]].sha256,
            index_sha256=file["index_sha256"],
        )
        for file in entry.counts["files"]
    ]
