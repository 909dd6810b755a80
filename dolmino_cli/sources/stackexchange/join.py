"""Join: Stack Exchange dumps -> documents of question and accepted answer, by any number of workers, in bounded memory.

    plan = plan_join(["dumps/"], output="joined")
    for dump in split_dumps(plan, Local(workers=8)): ...       # first pass over each dump: its rows sorted out onto the disk
    for entry in join_shards(plan, Local(workers=8)): ...      # second pass: shards of documents
    totals = finish(plan)

`join` does all four. The result does not depend on the number of workers. Documents stand in order of their answer's id.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dolmino_cli import __version__
from dolmino_cli.errors import ConfigError
from dolmino_cli.executors.attempt import attempt_all
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.executor import Executor, Phase
from dolmino_cli.executors.local import Local
from dolmino_cli.executors.scratch import check_seen_by_all, make_own, scratch_folder
from dolmino_cli.shards import ledger
from dolmino_cli.shards.faults import OnError
from dolmino_cli.shards.ledger import LedgerEntry
from dolmino_cli.shards.storage import Output
from dolmino_cli.sources.stackexchange import PRELOAD, spill, tasks
from dolmino_cli.sources.stackexchange.dumps import Dump, list_dumps
from dolmino_cli.sources.stackexchange.tasks import Job, Rules, ShardTask, Split, SplitTask
from dolmino_cli.sources.stackexchange.text import Profile, html_to_text

SUMMARY_VERSION = 1
MIN_QUESTION_SCORE, MIN_ANSWER_SCORE = 3, 5
"""OLMo 2 paper, section 4.3: pairs go whose question has fewer than 3 votes or whose answer has fewer than 5."""


@dataclass(kw_only=True)
class Plan:
    """A run about to be: its dumps, and what is finished already, by site and by shard."""

    job: Job
    dumps: Sequence[Dump]
    sites: dict[str, LedgerEntry]
    shards: dict[str, LedgerEntry]
    splits: dict[str, Split] = field(default_factory=dict)
    scratch: str | None = None
    """Where the user wants it."""

    @property
    def left(self) -> list[Dump]:
        """The dumps that are not finished, in order."""
        return [dump for dump in self.dumps if dump.site not in self.sites]

    @property
    def to_split(self) -> list[Dump]:
        """The dumps whose first pass is to do."""
        return [dump for dump in self.left if dump.site not in self.splits]

    @property
    def to_join(self) -> list[ShardTask]:
        """The shards to write, of dumps whose first pass is done."""
        return [
            task
            for dump in self.left
            if dump.site in self.splits
            for task in _shard_tasks(self.job, dump, self.splits[dump.site])
            if task.name not in self.shards
        ]


def join(inputs: Sequence[str], *, workers: int = 1, **options: Any) -> dict[str, Any]:
    """Join the dumps of `inputs`; `options` are those of `plan_join`. Returns what `finish` returns."""
    plan = plan_join(inputs, **options)
    executor = Local(workers=workers)
    for _ in split_dumps(plan, executor):
        pass
    for _ in join_shards(plan, executor):
        pass
    return finish(plan)


def plan_join(
    inputs: Sequence[str],
    *,
    output: str,
    profile: Profile = "paper",
    min_question_score: int | None = MIN_QUESTION_SCORE,
    min_answer_score: int | None = MIN_ANSWER_SCORE,
    on_error: OnError = "fail",
    scratch: str | None = None,
) -> Plan:
    """List the dumps and see what is done already; nothing is written.

    A pair is a question and the answer of its site that it accepts, with scores of at least the bounds (None: any). `profile`
    "ai2" does what Ai2's SQL did where it departs from the paper's words: a title separator of the answer's making (see
    `text.pair_text`), and no pair for a question whose AnswerCount is 0 or absent. `scratch` is a local folder for the rows
    between the passes, a sixth of the XML, or a third without score bounds; by default it is inside a local output.

    Raises ConfigError when the output holds a run of other options or inputs, naming what changed; MissingExtra; StorageError.
    """
    rules = Rules(profile=profile, min_question_score=min_question_score, min_answer_score=min_answer_score, on_error=on_error)
    dumps = list_dumps(inputs)
    target = Output(output)
    layout = {"ids_per_partition": spill.IDS, "partitions_per_shard": tasks.PARTITIONS_PER_SHARD}
    job = Job(
        rules=rules,
        output=target,
        scratch=Output(str(scratch_folder(target, scratch, verb="join"))),
        recipe={"join": "stackexchange", "options": asdict(rules), "layout": layout, "html": html_to_text()[1]},
    )
    entries = _finished(job, dumps)
    sites = {dump.site: entries[dump.site] for dump in dumps if _is_whole(dump, entries)}
    saved = {dump.site: tasks.saved_split(job, dump) for dump in dumps if dump.site not in sites}
    return Plan(
        job=job,
        dumps=dumps,
        sites=sites,
        shards={name: entry for name, entry in entries.items() if "shards" not in entry.counts},
        splits={site: split for site, split in saved.items() if split is not None},
        scratch=scratch,
    )


def split_dumps(plan: Plan, executor: Executor, *, counters: Counters | None = None) -> Iterator[Dump]:
    """The first pass over the dumps left; yields each when it is done. `join_shards` must be called after the last.

    All are tried: one that fails does not stop the others. What failed is raised at the end: RunFailed, or a single failure.
    """
    # The largest first: it takes longest, and alone at the end it would keep one worker only.
    by_size = sorted(plan.to_split, key=lambda dump: -dump.stored.bytes)
    jobs = [SplitTask(job=plan.job, dump=dump) for dump in by_size]
    check_seen_by_all(plan.job.output, plan.scratch, executor)
    phase = Phase(
        name="split",
        name_of=lambda task: task.dump.site,
        recorded=lambda task: tasks.saved_split(task.job, task.dump) or tasks.finished_site(task.job, task.dump),
    )
    output = plan.job.output
    with executor.claim(output):
        if plan.left:
            output.put("run.json", _summary(plan, complete=False))
            make_own(Path(plan.job.scratch.root))
        for task, found in attempt_all(
            executor, tasks.split, jobs, phase=phase, what="dumps", output=output, counters=counters, preload=PRELOAD
        ):
            if isinstance(found, LedgerEntry):  # another process is done with the whole dump
                plan.sites[task.dump.site] = found
            else:
                plan.splits[task.dump.site] = found
            yield task.dump


def join_shards(plan: Plan, executor: Executor, *, counters: Counters | None = None) -> Iterator[LedgerEntry]:
    """The second pass: the shards left; yields each one's entry when it is written. `finish` must be called after the last.

    Failures are raised at the end, as by `split_dumps`. A dump whose shards are all there loses its scratch files.
    """
    with executor.claim(plan.job.output):
        _close_sites(plan)
        output = plan.job.output
        phase = Phase(
            name="join", name_of=lambda task: task.name, recorded=lambda task: ledger.load(output, task.name), folder="ledger"
        )
        for task, entry in attempt_all(
            executor,
            tasks.join_shard,
            plan.to_join,
            phase=phase,
            what="shards",
            output=output,
            counters=counters,
            preload=PRELOAD,
        ):
            plan.shards[task.name] = entry
            _close_sites(plan)
            yield entry


def finish(plan: Plan) -> dict[str, Any]:
    """Write run.json, the last of all: it says that the run is whole. Returns its counts."""
    assert not plan.left, "finish called before every dump was done"
    shutil.rmtree(plan.job.scratch.root, ignore_errors=True)
    plan.job.output.put("run.json", _summary(plan, complete=True))
    return _totals(plan)


def _is_whole(dump: Dump, entries: dict[str, LedgerEntry]) -> bool:
    """Is there an account of the dump, and every shard that it names?"""
    entry = entries.get(dump.site)
    return entry is not None and all(tasks.shard_name(dump, number) in entries for number in entry.counts["shards"])


def _shard_tasks(job: Job, dump: Dump, split: Split) -> Iterator[ShardTask]:
    for number in split.shards:
        partitions = tuple(one for one in split.partitions if one // tasks.PARTITIONS_PER_SHARD == number)
        yield ShardTask(job=job, dump=dump, number=number, partitions=partitions)


def _close_sites(plan: Plan) -> None:
    """Write the account of each dump whose shards are all there."""
    for dump in plan.left:
        split = plan.splits.get(dump.site)
        if split is None:
            continue
        entries = [plan.shards.get(task.name) for task in _shard_tasks(plan.job, dump, split)]
        if all(entries):
            entry = tasks.site_entry(plan.job, dump, split, [entry for entry in entries if entry])
            ledger.save(plan.job.output, entry)
            plan.sites[dump.site] = entry
            tasks.remove_split(plan.job, dump)


def _finished(job: Job, dumps: Sequence[Dump]) -> dict[str, LedgerEntry]:
    by_site = {dump.site: dump for dump in dumps}
    found = {entry.name: entry for entry in ledger.load_all(job.output)}
    for name, entry in found.items():
        dump = by_site.get(name.partition("/")[0])
        if dump is None:
            problem = f"{job.output.root} holds results of {name!r}, which is not among the dumps now"
            raise ConfigError(f"{problem}; give the same dumps, or another --output")
        changed = ledger.difference(entry, recipe=job.recipe, input=ledger.input_identity(dump.stored))
        if changed:
            advice = "use another --output, or delete this one"
            raise ConfigError(f"{job.output.root} holds results for {name!r} of another run: {'; '.join(changed)}; {advice}")
    return found


def _totals(plan: Plan) -> dict[str, Any]:
    summed: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    for entry in plan.sites.values():
        dropped.update(entry.counts["dropped"])
        summed.update({name: value for name, value in entry.counts.items() if isinstance(value, int)})
    return {**dict(summed), "dropped": dict(dropped)}


def _summary(plan: Plan, *, complete: bool) -> bytes:
    sites = {dump.site: plan.sites[dump.site].counts for dump in plan.dumps if dump.site in plan.sites}
    content = {
        "dolmino_run": SUMMARY_VERSION,
        "dolmino": __version__,
        "complete": complete,
        "recipe": {"name": "join stackexchange", **plan.job.recipe},
        "recipe_sha256": ledger.recipe_hash(plan.job.recipe),
        "counts": _totals(plan),
        "sites": sites,
        "input_bytes": sum(dump.stored.bytes for dump in plan.dumps),
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
