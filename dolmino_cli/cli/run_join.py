"""What `dolmino join stackexchange` does after parsing: plan, both passes with progress, the account of all rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dolmino_cli.cli.console import remark, show, tracked
from dolmino_cli.cli.executor_options import ExecutorOptions
from dolmino_cli.executors.counters import Counters
from dolmino_cli.report.amounts import big_bytes
from dolmino_cli.sources.stackexchange import seven_zip
from dolmino_cli.sources.stackexchange.join import Plan, finish, join_shards, plan_join, split_dumps

# Measured on dumps: XML per stored byte, and what the first pass leaves on disk per byte of XML.
_UNPACKED = {"plain": 1.0, "gzip": 3.5, "zstd": 4.2}
_SCRATCH_SHARE, _SCRATCH_SHARE_ALL_SCORES = 0.15, 0.3


def run_join(inputs: Sequence[str], *, how: ExecutorOptions, dry_run: bool, **options: Any) -> None:
    """Join and print what became of every row. `options` are those of `plan_join`. Raises DolminoError."""
    plan = plan_join(inputs, **options)
    remark(f"{len(plan.dumps):,} sites, {big_bytes(sum(dump.stored.bytes for dump in plan.dumps))}")
    if dry_run:
        _show_plan(plan)
        return
    if plan.sites:
        remark(f"  {len(plan.sites):,} sites are done already and skipped")
    _split(plan, how)
    _join(plan, how)
    _show(finish(plan), plan)


def _split(plan: Plan, how: ExecutorOptions) -> None:
    counters = Counters(workers=how.workers)
    left = plan.to_split
    dumps = split_dumps(plan, how.make(plan.job.output.root), counters=counters)
    total_bytes = sum(dump.stored.bytes for dump in left)
    for _ in tracked(
        dumps,
        what="read dumps",
        total_bytes=total_bytes,
        size_of=lambda dump: dump.stored.bytes,
        read=counters.read,
        shards=len(left),
    ):
        pass


def _join(plan: Plan, how: ExecutorOptions) -> None:
    counters = Counters(workers=how.workers)
    sizes = {task.name: len(task.partitions) for task in plan.to_join}
    entries = join_shards(plan, how.make(plan.job.output.root), counters=counters)
    for _ in tracked(
        entries,
        what="join",
        total_bytes=sum(sizes.values()),
        size_of=lambda entry: sizes[entry.name],
        read=counters.read,
        shards=len(sizes),
    ):
        pass


def _show_plan(plan: Plan) -> None:
    unpacked_bytes = 0.0
    for dump in plan.dumps:
        stored = dump.stored
        is_7z = dump.packing == "7z"
        site_bytes = seven_zip.posts_bytes(stored.path) if is_7z else stored.bytes * _UNPACKED[dump.packing]
        state = "done" if dump.site in plan.sites else "to join" if dump.site in plan.splits else "to read"
        about = "" if is_7z or dump.packing == "plain" else "about "
        show(f"{dump.site:<36} {stored.path}  {about}{big_bytes(site_bytes)} of XML  {state}")
        unpacked_bytes += site_bytes if dump.site not in plan.sites else 0
    every_score = plan.job.rules.min_answer_score is None
    scratch_bytes = unpacked_bytes * (_SCRATCH_SHARE_ALL_SCORES if every_score else _SCRATCH_SHARE)
    show(
        f"{len(plan.left):,} of {len(plan.dumps):,} sites to do, about {big_bytes(unpacked_bytes)} of XML; needs about "
        f"{big_bytes(scratch_bytes)} in {plan.job.scratch.root}; nothing was written"
    )


def _show(counts: dict[str, Any], plan: Plan) -> None:
    show(
        f"{counts['in']:,} rows = {counts['kept']:,} in documents + {sum(counts['dropped'].values()):,} dropped"
        f" + {counts['quarantined']:,} quarantined"
    )
    for reason, number in counts["dropped"].items():
        show(f"  {number:>12,}  {reason}")
    show(f"{counts['documents']:,} documents of {counts['questions']:,} questions on {len(plan.dumps):,} sites")
    if counts["quarantined"]:
        show(f"see {plan.job.output.root}/quarantine")
    show(f"written to {plan.job.output.root}")
