"""What `dolmino generate arithmetic` does after parsing: plan, make shards with progress, say what was made."""

from __future__ import annotations

import logging
from typing import Any

from dolmino_cli.cli.console import remark, show, tracked
from dolmino_cli.cli.executor_options import ExecutorOptions
from dolmino_cli.executors.counters import Counters
from dolmino_cli.report.amounts import big_bytes, big_tokens, duration
from dolmino_cli.sources.arithmetic.generate import Plan, execute, finish, plan_generate, sample

_SHOWN_DOCUMENTS = 12


def run_arithmetic(*, how: ExecutorOptions, dry_run: bool, **options: Any) -> None:
    """Make the documents and print a summary. `options` are those of `plan_generate`. Raises DolminoError."""
    # The library logs what a person must know, such as falling back to the slow engine.
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    plan = plan_generate(**options)
    if dry_run:
        _show_prediction(plan, how.workers)
        return
    if plan.shards:
        remark(f"  {len(plan.shards):,} shards are done already and skipped")
    counters = Counters(workers=how.workers)
    what = "documents" if plan.tokens is None else "tokens"
    left = (plan.documents or plan.tokens or 0) - sum(entry.counts[what] for entry in plan.shards.values())
    shards = plan.expected_shards()
    entries = execute(plan, how.make(plan.job.output.root), counters=counters)
    for _ in tracked(
        entries,
        what="generate",
        total_bytes=left,
        size_of=lambda entry: int(entry.counts[what]),
        read=counters.read,
        shards=shards,
    ):
        pass
    _show(finish(plan), plan)


def _show_prediction(plan: Plan, workers: int) -> None:
    tried = sample(plan)
    share = (plan.documents or 0) / len(tried.documents) if plan.tokens is None else plan.tokens / tried.tokens
    for document in tried.documents[:_SHOWN_DOCUMENTS]:
        show(f"--- {document.operation}, {document.template}\n{document.text}")
    show(
        f"about {len(tried.documents) * share:,.0f} documents, {big_tokens(round(tried.tokens * share))} tokens of "
        f"{plan.tokenizer.name}, {big_bytes(tried.record_bytes * share)} of JSONL (a sixth of that packed), "
        f"{duration(tried.seconds * share / workers)} with {workers} workers; nothing was written"
    )


def _show(counts: dict[str, Any], plan: Plan) -> None:
    show(
        f"{counts['documents']:,} documents, {counts['tokens']:,} tokens of {plan.tokenizer.name}, "
        f"{counts['equations']:,} equations, {len(counts['wordings']):,} wordings in {len(counts['notations'])} notations"
    )
    for name, number in sorted(counts["operations"].items(), key=lambda item: -item[1]):
        show(f"  {number:>10,}  {name}")
    show(f"written to {plan.job.output.root}")
