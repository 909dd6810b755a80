"""Retokenize: documents -> token arrays with arrays.json, by any number of workers, going on where a killed run stopped.

    plan = plan_retokenize(inputs, tokenizer=..., output=...)
    for shard in execute(plan, Local(workers=8)): ...      # progress
    arrays = finish(plan)

`retokenize` does all three.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dolmino_cli.errors import ConfigError, DolminoError
from dolmino_cli.executors.attempt import attempt_all
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.executor import Executor, Phase
from dolmino_cli.executors.local import Local
from dolmino_cli.pipeline.memory import check_fits
from dolmino_cli.shards import ledger, storage
from dolmino_cli.shards.ledger import LedgerEntry
from dolmino_cli.shards.listing import list_shards
from dolmino_cli.shards.read_options import MAX_DOCUMENT_BYTES
from dolmino_cli.shards.reading import OnError
from dolmino_cli.shards.shard import Shard
from dolmino_cli.shards.storage import Output
from dolmino_cli.tokenizer.engine import EngineName
from dolmino_cli.tokenizer.identity import resolve
from dolmino_cli.tokenizer.reference import SpecialTokens
from dolmino_cli.tokens import PRELOAD, arrays, progress, tasks
from dolmino_cli.tokens.arrays import MadeBy, TokenArrays, TokenizerRecord
from dolmino_cli.tokens.encode import Encoding
from dolmino_cli.tokens.groups import Group, estimated_tokens, groups_of, in_one_go
from dolmino_cli.tokens.tasks import Job, Outcome, Packing, Task

log = logging.getLogger(__name__)

TOKENS_PER_FILE = 100_000_000
# Peak memory over a document's bytes: 4 of English, 5 of Japanese, 8 of random letters, 13 where each byte is a token of its own.
# One word of 60 MB took 25: such a document fails by the ceiling.
_PER_DOCUMENT_BYTE = 14


@dataclass(kw_only=True)
class Plan:
    """A run about to be: its groups, and the ledger entries of those that are finished already."""

    job: Job
    tokenizer: TokenizerRecord
    shards: Sequence[Shard]
    groups: Sequence[Group]
    finished: dict[str, LedgerEntry]
    made_by: list[MadeBy] | None

    @property
    def left(self) -> list[Group]:
        """The groups to do, in order."""
        return [group for group in self.groups if group.name not in self.finished]

    @property
    def estimated_tokens(self) -> int:
        """Of all shards, from their stored sizes."""
        return round(sum(map(estimated_tokens, self.shards)))


def retokenize(inputs: Sequence[str], *, workers: int = 1, counters: Counters | None = None, **options: Any) -> TokenArrays:
    """Tokenise all documents of `inputs`; `options` are those of `plan_retokenize`. Returns what was written."""
    plan = plan_retokenize(inputs, **options)
    for _ in execute(plan, Local(workers=workers), counters=counters):
        pass
    return finish(plan)


def plan_retokenize(
    inputs: Sequence[str],
    *,
    tokenizer: str,
    output: str,
    eos: str | int | None = None,
    bos: str | int | None = None,
    tokens_per_file: int = TOKENS_PER_FILE,
    special_tokens: SpecialTokens = "text",
    strip: bool = True,
    engine: EngineName = "auto",
    on_error: OnError = "fail",
    max_document_bytes: int = MAX_DOCUMENT_BYTES,
    memory_bytes: int | None = None,
) -> Plan:
    """List the shards and see what is done already; nothing is written.

    Every document ends with `eos` (by default what the tokenizer says) unless its last id is that already, and begins with
    `bos` only if given. A file holds at most `tokens_per_file` tokens unless one document alone has more. The text of special
    tokens stays text with `special_tokens="text"`. Documents that are empty, after `str.strip` when `strip`, are counted and
    left out; records of more than `max_document_bytes` are set aside. A shard whose worker has more than `memory_bytes` fails.

    Raises ConfigError when the output holds a run with another tokenizer, options or inputs, naming what changed, and where a
    largest document may take more than `memory_bytes`.
    """
    if tokens_per_file < 1:
        raise ConfigError(f"tokens per file {tokens_per_file}: give 1 or more (default {TOKENS_PER_FILE})")
    if memory_bytes is not None:
        check_fits(memory_bytes, max_document_bytes, per_document_byte=_PER_DOCUMENT_BYTE)
    identity = resolve(tokenizer, eos)
    assert identity.eos_id is not None, "resolve demands an eos"
    shards = list_shards(inputs)
    encoding = Encoding(
        tokenizer_path=str(identity.path),
        tokenizer_sha256=identity.sha256,
        eos_id=identity.eos_id,
        bos_id=None if bos is None else identity.token_id(bos),
        special_tokens=special_tokens,
        strip=strip,
        engine=engine,
        on_error=on_error,
        max_document_bytes=max_document_bytes,
        memory_bytes=memory_bytes,
    )
    recorded = {
        "bos_id": encoding.bos_id,
        "special_tokens": special_tokens,
        "strip": strip,
        "on_error": on_error,
        "max_document_bytes": max_document_bytes,
        "tokens_per_file": tokens_per_file,
    }
    target = Output(output)
    job = Job(
        encoding=encoding,
        dtype=arrays.dtype_name(identity.vocabulary_size),
        tokens_per_file=tokens_per_file,
        output=target,
        scratch=_scratch_of(target, output),
        recipe={"tokenizer": identity.as_record(), "options": recorded},
    )
    groups = groups_of(shards, tokens_per_file)
    return Plan(
        job=job,
        tokenizer=TokenizerRecord(**identity.as_record()),  # type: ignore[arg-type]
        shards=shards,
        groups=groups,
        finished=_finished(job, groups),
        made_by=_made_by(inputs),
    )


def execute(plan: Plan, executor: Executor, *, counters: Counters | None = None) -> Iterator[Shard]:
    """Do what is left; yields each shard when it is encoded. `finish` must be called after the last.

    All shards are tried: one that fails does not stop the others, and at the end RunFailed (or, for a single failure, that
    failure) is raised; finished groups are skipped on a rerun.
    """
    with executor.claim(plan.job.output):
        yield from _execute(plan, executor, counters)


def _execute(plan: Plan, executor: Executor, counters: Counters | None) -> Iterator[Shard]:
    left = plan.left
    inputs = {group.name: tasks.group_identity(group) for group in left}
    progress.tidy(plan.job.output, plan.job.recipe, inputs, plan.finished)
    _remove(plan.job.scratch)
    # Scratch is this machine's: no other one could put together what is there.
    whole = len(left) if executor.several_machines or executor.workers == 1 else in_one_go(left, executor.workers)
    encoded: dict[str, dict[int, Outcome]] = defaultdict(dict)
    failed: DolminoError | None = None
    try:
        try:
            yield from _encode(plan, _tasks(plan.job, left, whole), encoded, executor, counters)
        except DolminoError as error:
            failed = error
        # Groups that have all their shards are finished, though another has not.
        ready = [group for group in left if len(encoded[group.name]) == len(group.shards)]
        _pack(plan, [Packing(job=plan.job, group=group, outcomes=encoded[group.name]) for group in ready], executor)
    finally:
        _remove(plan.job.scratch)
    if failed is not None:
        raise failed


def _encode(
    plan: Plan,
    pieces: Iterable[Task],
    encoded: dict[str, dict[int, Outcome]],
    executor: Executor,
    counters: Counters | None,
) -> Iterator[Shard]:
    """Groups in one go are finished then; of the others, what became of each shard is put into `encoded`, by group and place."""
    announced = False
    phase = _phase(plan)
    for task, outcome in attempt_all(
        executor, tasks.run, pieces, phase=phase, what="tasks", output=plan.job.output, counters=counters, preload=PRELOAD
    ):
        if executor.workers > 1 and not announced:
            announced = _announce(outcome.engine, plan)
        if outcome.entry is not None:
            plan.finished[task.group.name] = outcome.entry
            yield from task.group.shards
        else:
            encoded[task.group.name][task.shard or 0] = outcome
            yield task.group.shards[task.shard or 0]


def _pack(plan: Plan, packings: Sequence[Packing], executor: Executor) -> None:
    """Finish groups whose shards are all in scratch."""
    if not packings:
        return
    phase = Phase(name="pack", name_of=lambda packing: packing.name, gathered=False)
    for packing, entry in attempt_all(
        executor, tasks.pack, packings, phase=phase, what="groups", output=plan.job.output, preload=PRELOAD
    ):
        plan.finished[packing.name] = entry


def finish(plan: Plan) -> TokenArrays:
    """Write arrays.json, the last of all: it says that the arrays are whole. Returns what it says."""
    assert not plan.left, "finish called before every group was done"
    entries = [plan.finished[group.name] for group in plan.groups]
    item_bytes = plan.job.numpy_dtype.itemsize
    files = [file for entry in entries for file in tasks.files_of(entry, item_bytes)]
    written = TokenArrays(
        root=plan.job.output.root,
        tokenizer=plan.tokenizer,
        dtype=plan.job.dtype,
        engine=" and ".join(sorted({entry.engine["tokenizer"] for entry in entries})),
        options=plan.job.recipe["options"],
        files=files,
        totals={
            "tokens": sum(file.tokens for file in files),
            "documents": sum(file.documents for file in files),
            "bytes": sum(file.bytes for file in files),
            "read": sum(entry.counts["in"] for entry in entries),
            "empty": sum(entry.counts["dropped"]["empty"] for entry in entries),
            "quarantined": sum(entry.counts["quarantined"] for entry in entries),
            "text_bytes": sum(entry.bytes["text"] for entry in entries),
        },
        made_by=plan.made_by,
    )
    plan.job.output.put(arrays.NAME, written.to_json())
    return written


def _scratch_of(target: Output, output: str) -> Output:
    """A folder of this machine: in the output where that is local, else one that a rerun finds by the output's name."""
    if target.is_s3:
        return Output(f"{tempfile.gettempdir()}/dolmino-{ledger.recipe_hash({'output': output})[:16]}")
    return Output(f"{target.root}/.scratch")


def _phase(plan: Plan) -> Phase:
    """Its records are those of groups in one go; shards of groups are told apart by executors that do not look at records."""

    def recorded(task: Task) -> Outcome | None:
        entry = ledger.load(plan.job.output, task.group.name)
        return None if entry is None else tasks.outcome_of(entry)

    return Phase(name="retokenize", name_of=lambda task: task.name, recorded=recorded, folder="ledger", gathered=False)


def _tasks(job: Job, groups: Sequence[Group], whole: int) -> Iterator[Task]:
    """The first `whole` groups in one go, the others shard by shard."""
    for place, group in enumerate(groups):
        if place < whole or len(group.shards) == 1:
            yield Task(job=job, group=group)
        else:
            yield from (Task(job=job, group=group, shard=shard) for shard in range(len(group.shards)))


def _announce(engine: str, plan: Plan) -> bool:
    """Say if a worker fell back to `tokenizers`; in this process load_engine says it itself."""
    if engine.startswith("tokenizers") and plan.job.encoding.engine != "tokenizers":
        log.warning("tokenizer %s: encoding with %s, some 30 times slower", plan.tokenizer.name, engine)
    return True


def _remove(scratch: Output) -> None:
    shutil.rmtree(Path(scratch.root), ignore_errors=True)


def _finished(job: Job, groups: Sequence[Group]) -> dict[str, LedgerEntry]:
    by_name = {group.name: group for group in groups}
    found = {entry.name: entry for entry in ledger.load_all(job.output)}
    for name, entry in found.items():
        advice = "give another --output, or delete this one"
        if name not in by_name:
            raise ConfigError(f"{job.output.root} holds results for {name!r}, which is not of these inputs and options; {advice}")
        changed = ledger.difference(entry, recipe=job.recipe, input=tasks.group_identity(by_name[name]))
        if changed:
            raise ConfigError(f"{job.output.root} holds results of another run: {'; '.join(changed)}; {advice}")
    return found


def _made_by(inputs: Sequence[str]) -> list[MadeBy] | None:
    """The recipe runs whose output folders are among the inputs. Raises ConfigError for one that was not finished."""
    runs: list[MadeBy] = []
    for given in inputs:
        path = storage.join(given, "run.json")
        if any(character in given for character in "*?[") or not storage.exists(path):
            continue
        run: dict[str, Any] = json.loads(storage.read_bytes(path))
        if run.get("complete") is False:
            raise ConfigError(f"{given} is an unfinished run (its run.json says so); finish it by running its command again")
        runs.append(MadeBy(recipe=str(run.get("recipe", {}).get("name")), recipe_sha256=str(run.get("recipe_sha256"))))
    return runs or None
