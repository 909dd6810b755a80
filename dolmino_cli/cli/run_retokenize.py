"""What `dolmino retokenize` does after parsing: plan, encode with progress, say what was written."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from dolmino_cli.cli.console import remark, show, tracked
from dolmino_cli.cli.executor_options import ExecutorOptions
from dolmino_cli.executors.counters import Counters
from dolmino_cli.report.amounts import big_bytes, big_tokens
from dolmino_cli.tokens.arrays import TokenArrays
from dolmino_cli.tokens.retokenize import Plan, execute, finish, plan_retokenize


def run_retokenize(inputs: Sequence[str], *, output: str, how: ExecutorOptions, dry_run: bool, **options: object) -> None:
    """Retokenize and print a summary. `options` are those of `plan_retokenize`. Raises DolminoError."""
    # The library logs what a person must know, such as falling back to the slow engine.
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    plan = plan_retokenize(inputs, output=output, memory_bytes=how.memory_bytes, **options)  # type: ignore[arg-type]
    listed_bytes = sum(shard.bytes for shard in plan.shards)
    remark(f"{len(plan.shards):,} shards, {big_bytes(listed_bytes)}")
    if dry_run:
        _show_plan(plan)
        return
    left = [shard for group in plan.left for shard in group.shards]
    skipped = sum(len(group.shards) for group in plan.groups) - len(left)
    if skipped:
        remark(f"  {skipped:,} shards are done already and skipped")
    if left:
        token_bytes = plan.estimated_tokens * plan.job.numpy_dtype.itemsize / max(listed_bytes, 1)
        how.check_place(output, [shard.bytes * token_bytes for shard in left])
    counters = Counters(workers=how.workers)
    shards = execute(plan, how.make(output), counters=counters)
    for _ in tracked(
        shards,
        what="retokenize",
        total_bytes=sum(shard.bytes for shard in left),
        size_of=lambda shard: shard.bytes,
        read=counters.read,
        shards=len(left),
    ):
        pass
    _show_result(finish(plan))


def _show_plan(plan: Plan) -> None:
    tokenizer = plan.tokenizer
    show(f"tokenizer {tokenizer.name}: {tokenizer.vocabulary_size:,} ids, end of text {tokenizer.eos_token} = {tokenizer.eos_id}")
    array_bytes = plan.estimated_tokens * plan.job.numpy_dtype.itemsize
    show(
        f"about {big_tokens(plan.estimated_tokens)} tokens ({plan.job.dtype}, {big_bytes(array_bytes)})"
        f" in {len(plan.groups):,} groups of shards, {len(plan.left):,} to do; nothing was written",
    )


def _show_result(arrays: TokenArrays) -> None:
    totals = arrays.totals
    show(
        f"{totals['read']:,} documents read = {totals['documents']:,} tokenized + {totals['empty']:,} empty"
        f" + {totals['quarantined']:,} quarantined",
    )
    show(
        f"{totals['tokens']:,} tokens ({arrays.dtype}, {big_bytes(totals['bytes'])})"
        f" in {len(arrays.files):,} files, by {arrays.engine}",
    )
    show(f"written to {arrays.root}")
