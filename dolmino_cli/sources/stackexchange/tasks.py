"""The pieces of a join: a dump split into partitions on disk, and some partitions joined into one shard of documents."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from dolmino_cli.errors import StorageError
from dolmino_cli.executors import counters
from dolmino_cli.kernels.xml_rows import MISSING
from dolmino_cli.pipeline.quarantine import Quarantine
from dolmino_cli.shards import ledger
from dolmino_cli.shards.compression import PlainBytes
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.faults import OnError
from dolmino_cli.shards.ledger import LedgerEntry, OutputFile
from dolmino_cli.shards.owner import is_gone, owner
from dolmino_cli.shards.storage import Output, open_bytes
from dolmino_cli.shards.writing import DocumentWriter
from dolmino_cli.sources.stackexchange import seven_zip, spill
from dolmino_cli.sources.stackexchange.dumps import Dump
from dolmino_cli.sources.stackexchange.pairing import Maker, PairTally, pair_partition
from dolmino_cli.sources.stackexchange.posts import ANSWER, QUESTION, Posts
from dolmino_cli.sources.stackexchange.text import Profile, html_to_text
from dolmino_cli.sources.stackexchange.xml_reading import PlainStream, read_posts

PARTITIONS_PER_SHARD = 16
"""So a shard has the answers of 2^19 ids: for Stack Overflow some 150 shards."""

_SPLIT = "split.json"
_ZSTD_LEVEL = 1


@dataclass(frozen=True, kw_only=True)
class Rules:
    """Which pairs are made, and how. A score bound of None keeps every score."""

    profile: Profile
    min_question_score: int | None
    min_answer_score: int | None
    on_error: OnError


@dataclass(frozen=True, kw_only=True)
class Job:
    """What all tasks of a run share; picklable. `recipe` is everything that the output depends on besides the input."""

    rules: Rules
    output: Output
    scratch: Output
    recipe: dict[str, Any]

    def folder(self, dump: Dump) -> Path:
        """Where the site's partitions lie meanwhile: of one recipe and input, so that what is there is right."""
        path = self.scratch.local_path(f"{dump.site}-{ledger.recipe_hash(_identity(self, dump))[:16]}")
        assert path is not None, "scratch is always local"
        return path


@dataclass(kw_only=True)
class Split:
    """What the first pass found in a dump, and where the second goes on. Rows are counted once each, by what they are."""

    rows: int = 0
    questions: int = 0
    answers: int = 0
    other_posts: int = 0
    quarantined: int = 0
    not_accepted: int = 0
    """Questions without an accepted answer."""
    no_answers: int = 0
    """Questions whose AnswerCount is 0 although they have an accepted answer (profile ai2)."""
    low_questions: int = 0
    spilled_questions: int = 0
    spilled_answers: int = 0
    xml_bytes: int = 0
    scratch_bytes: int = 0
    seconds: float = 0.0
    partitions: list[int] = field(default_factory=list)
    quarantine_files: dict[str, OutputFile] = field(default_factory=dict)

    @property
    def shards(self) -> list[int]:
        """Numbers of the shards that its partitions make."""
        return sorted({partition // PARTITIONS_PER_SHARD for partition in self.partitions})


@dataclass(frozen=True, kw_only=True)
class SplitTask:
    """The first pass over one dump."""

    job: Job
    dump: Dump


@dataclass(frozen=True, kw_only=True)
class ShardTask:
    """The second pass over some partitions of a dump: those of one shard of documents."""

    job: Job
    dump: Dump
    number: int
    partitions: tuple[int, ...]

    @property
    def name(self) -> str:
        """As the ledger and the shard are named."""
        return shard_name(self.dump, self.number)


def saved_split(job: Job, dump: Dump) -> Split | None:
    """What an earlier first pass left, if it finished and its partitions are there; None otherwise."""
    path = job.folder(dump) / _SPLIT
    with storage_errors("read", str(path)):
        try:
            return msgspec.json.decode(path.read_bytes(), type=Split)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None


def finished_site(job: Job, dump: Dump) -> LedgerEntry | None:
    """The account of a dump whose shards are all written."""
    entry = ledger.load(job.output, dump.site)
    if entry is None or any(ledger.load(job.output, shard_name(dump, number)) is None for number in entry.counts["shards"]):
        return None
    return entry


def shard_name(dump: Dump, number: int) -> str:
    """As the ledger and the shard are named."""
    return f"{dump.site}/{number:05d}"


def remove_split(job: Job, dump: Dump) -> None:
    """Remove the partitions of a dump whose shards and account are written."""
    folder = job.folder(dump)
    with storage_errors("remove", str(folder)):
        # First of all: whoever reads partitions without it knows that some may be gone.
        (folder / _SPLIT).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _identity(job: Job, dump: Dump) -> dict[str, Any]:
    return {"recipe_sha256": ledger.recipe_hash(job.recipe), "input": ledger.input_identity(dump.stored)}


def split(task: SplitTask) -> Split:
    """Do the first pass. Raises DataError, StorageError."""
    job, dump = task.job, task.dump
    started = time.perf_counter()
    result, final = Split(), job.folder(dump)
    _remove_gone(final)
    partial = final.with_name(f".{final.name}.{owner()}.partial")
    try:
        _sort_out_dump(job, dump, result, partial)
        result.seconds = time.perf_counter() - started
        with storage_errors("write", str(final)):
            (partial / _SPLIT).write_bytes(msgspec.json.encode(result))
            is_ours = _show_folder(partial, final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # it may be most of the disk
    return result if is_ours else saved_split(job, dump) or result


def _show_folder(partial: Path, final: Path) -> bool:
    """Give the folder its name; False where another process was first."""
    try:
        partial.rename(final)
    except OSError:
        if (final / _SPLIT).exists():
            return False
        shutil.rmtree(final)
        partial.rename(final)
    return True


def _remove_gone(final: Path) -> None:
    """Remove what killed processes of this machine left of the folder."""
    for left in final.parent.glob(f".{final.name}.*.partial"):
        if is_gone(left.name.removesuffix(".partial").rpartition(".")[2]):
            shutil.rmtree(left, ignore_errors=True)


def _sort_out_dump(job: Job, dump: Dump, result: Split, folder: Path) -> None:
    writer = spill.SpillWriter(folder)
    quarantined = dataclasses.replace(dump.stored, name=dump.site)
    with (
        storage_errors("read", dump.stored.path),
        Quarantine(quarantined, job.output) as quarantine,
        _opened(dump) as stream,
    ):
        for posts, faulty in read_posts(stream, dump.stored.path, on_error=job.rules.on_error):
            quarantine.add(faulty)
            result.quarantined += len(faulty)
            result.rows += len(posts) + len(faulty)
            xml_bytes = int((posts.ends - posts.starts).sum())
            result.xml_bytes += xml_bytes
            _sort_out(posts, job.rules, writer, result)
            counters.advance(documents=len(posts) + len(faulty), bytes=xml_bytes)
        writer.finish()
        result.quarantine_files = quarantine.publish()
    result.partitions = sorted(writer.partitions)
    result.scratch_bytes = writer.written_bytes


@contextmanager
def _opened(dump: Dump) -> Iterator[PlainStream]:
    if dump.packing == "7z":
        with seven_zip.open_posts(dump.stored.path) as unpacked:
            yield unpacked
    else:
        with open_bytes(dump.stored.path) as source:
            yield PlainBytes(source, dump.packing)


def _sort_out(posts: Posts, rules: Rules, writer: spill.SpillWriter, result: Split) -> None:
    """Count the posts, and spill those that can become part of a pair."""
    kinds, ids, scores = posts.integer("PostTypeId"), posts.integer("Id"), posts.integer("Score", default=0)
    accepted = posts.integer("AcceptedAnswerId", default=0)
    is_question, is_answer = kinds == QUESTION, kinds == ANSWER
    is_accepting = is_question & (accepted > 0)
    result.questions += int(is_question.sum())
    result.answers += int(is_answer.sum())
    result.other_posts += len(posts) - int(is_question.sum() + is_answer.sum())
    result.not_accepted += int((is_question & ~is_accepting).sum())
    if rules.profile == "ai2":
        has_answers = posts.integer("AnswerCount", default=0) > 0
        result.no_answers += int((is_accepting & ~has_answers).sum())
        is_accepting &= has_answers
    if rules.min_question_score is not None:
        is_low = is_accepting & (scores < rules.min_question_score)
        result.low_questions += int(is_low.sum())
        is_accepting &= ~is_low
    # An id below 1 can be nobody's accepted answer.
    is_low = is_answer & (ids > 0) & (scores < (MISSING if rules.min_answer_score is None else rules.min_answer_score))
    is_good = is_answer & (ids > 0) & ~is_low
    result.spilled_questions += int(is_accepting.sum())
    result.spilled_answers += int(is_good.sum() + is_low.sum())
    writer.add_rows("questions", posts.where(is_accepting), accepted[is_accepting])
    writer.add_rows("answers", posts.where(is_good), ids[is_good])
    writer.add_low(ids[is_low])


def join_shard(task: ShardTask) -> LedgerEntry:
    """Do the second pass for one shard. Raises DataError, StorageError.

    Where the shard is found done after all, by another process that then removed the partitions, that one's entry is it.
    """
    try:
        return _join_shard(task)
    except StorageError:
        entry = ledger.load(task.job.output, task.name)
        if entry is None:
            raise
        return entry


def _join_shard(task: ShardTask) -> LedgerEntry:
    """Do the second pass for one shard. Raises DataError, StorageError."""
    started = time.perf_counter()
    job, site, folder = task.job, task.dump.site, task.job.folder(task.dump)
    convert, html = html_to_text()
    maker = Maker(site=site, profile=job.rules.profile, convert=convert)
    total = PairTally()
    name = f"documents/{task.name}.jsonl.zst"
    with job.output.create(name) as pending:
        writer = DocumentWriter(pending, ".jsonl.zst", zstd_level=_ZSTD_LEVEL)
        for partition in task.partitions:
            tally = PairTally()
            questions, answers = pair_partition(folder, partition, tally, path=task.dump.stored.path)
            for record in maker.documents(questions, answers, tally):
                writer.write(record)
            counters.advance(documents=tally.pairs, bytes=tally.text_bytes)
            total.add(tally)
        writer.finish()
        if not (folder / _SPLIT).exists():
            raise StorageError(f"the scratch folder {folder} was removed while it was read; run the same command again")
        pending.publish()
        entry = LedgerEntry(
            name=task.name,
            recipe=job.recipe,
            input=ledger.input_identity(task.dump.stored),
            counts={key: value for key, value in vars(total).items() if key != "text_bytes"},
            bytes={"text": total.text_bytes, "plain": writer.plain_bytes, "written": pending.bytes},
            outputs={name: OutputFile(bytes=pending.bytes, sha256=pending.sha256)},
            seconds={"pair": time.perf_counter() - started},
            engine={"html": html},
        )
    ledger.save(job.output, entry)
    return entry


def site_entry(job: Job, dump: Dump, split: Split, shards: list[LedgerEntry]) -> LedgerEntry:
    """The account of a whole dump, every row in one place: in = kept + dropped + quarantined.

    `kept` are the rows that stand in a document; `documents` are the pairs, which are fewer questions than rows.
    """
    total = PairTally()
    for shard in shards:
        total.add(PairTally(**shard.counts))
    assert total.questions == split.spilled_questions, f"{dump.site}: questions were lost between the passes"
    assert total.answers == split.spilled_answers, f"{dump.site}: answers were lost between the passes"
    assert total.questions == total.pairs + total.low_questions + total.missing, f"{dump.site}: questions do not add up"
    assert split.rows == split.questions + split.answers + split.other_posts + split.quarantined, f"{dump.site}: rows are lost"
    dropped = {
        "other_post_type": split.other_posts,
        "question_without_accepted_answer": split.not_accepted,
        "question_score": split.low_questions,
        "question_whose_answer_has_low_score": total.low_questions,
        "question_whose_answer_is_missing": total.missing,
        "answer_not_accepted": split.answers - total.used - total.low_used,
        "answer_score": total.low_used,
    }
    if job.rules.profile == "ai2":
        dropped["question_with_answer_count_0"] = split.no_answers
    return LedgerEntry(
        name=dump.site,
        recipe=job.recipe,
        input=ledger.input_identity(dump.stored),
        counts={
            "in": split.rows,
            "kept": total.pairs + total.used,
            "dropped": dropped,
            "quarantined": split.quarantined,
            "questions": split.questions,
            "answers": split.answers,
            "documents": total.pairs,
            "shards": split.shards,
        },
        bytes={"xml": split.xml_bytes, "scratch": split.scratch_bytes, "text": sum(shard.bytes["text"] for shard in shards)},
        outputs=split.quarantine_files,
        seconds={"split": split.seconds, "pair": sum(shard.seconds["pair"] for shard in shards)},
        engine=shards[0].engine if shards else {},
    )
