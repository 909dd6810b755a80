"""What `dolmino rewrite` does after parsing: plan, survey, ask with progress, the account of all requests."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dolmino_cli.cli.console import counted, remark, show, tracked
from dolmino_cli.cli.executor_options import ExecutorOptions
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.executor import Executor
from dolmino_cli.report import rewriting as report
from dolmino_cli.report.amounts import big_bytes, big_tokens
from dolmino_cli.shards.faults import OnError
from dolmino_cli.sources.rewriting.account import Prices
from dolmino_cli.sources.rewriting.asking import Progress
from dolmino_cli.sources.rewriting.endpoint import Endpoint, endpoint_of
from dolmino_cli.sources.rewriting.estimate import estimate
from dolmino_cli.sources.rewriting.journal import killed
from dolmino_cli.sources.rewriting.run import Plan, ask_all, finish, look_again, plan_rewrite, so_far, survey_all
from dolmino_cli.sources.rewriting.shares import ask_shares
from dolmino_cli.sources.rewriting.template import load_template


def run_rewrite(
    template: str,
    inputs: Sequence[str],
    *,
    how: ExecutorOptions,
    output: str,
    journal: str | None,
    model: str | None,
    copies: int,
    on_error: OnError,
    prices: Prices,
    tokenizer: str | None,
    dry_run: bool,
    url: str | None,
    concurrency: int,
    timeout_seconds: float,
    tries: int,
) -> None:
    """Rewrite and print what became of every request. Raises DolminoError."""
    wanted = load_template(template)
    if model is not None:
        wanted = dataclasses.replace(wanted, model=model)
    # Whatever is wrong with the request is said before the documents are read.
    endpoint = None if dry_run else endpoint_of(url, concurrency=concurrency, timeout_seconds=timeout_seconds, tries=tries)
    plan = plan_rewrite(inputs, template=wanted, output=output, journal=journal, copies=copies, on_error=on_error)
    listed_bytes = sum(shard.bytes for shard in plan.shards)
    remark(f"{wanted.name} by {wanted.model}: {len(plan.shards):,} shards, {big_bytes(listed_bytes)}")
    if plan.finished:
        remark(f"  {len(plan.finished):,} shards are done already and skipped")
    executor = how.make(output)
    if endpoint is None:
        _survey(plan, tokenizer)
        lines = report.estimate_lines(
            estimate(plan, concurrency=concurrency, tokenizer=tokenizer), prices, concurrency=concurrency
        )
        show("\n".join([*lines, "nothing was asked or written"]))
        return
    if executor.several_machines or executor.workers > 1:
        with _account_shown(plan, prices):
            _ask_shares(plan, endpoint, executor)
    else:
        with executor.claim(plan.output):
            look_again(plan)  # nothing is asked that another run was answered before it gave the claim back
            _survey(plan, None)
            with _account_shown(plan, prices):
                _ask(plan, endpoint, prices)
    finish(plan)
    show("\n".join(report.balance_lines(plan.counts)))
    show(f"written to {plan.output.root}")


@contextmanager
def _account_shown(plan: Plan, prices: Prices) -> Iterator[None]:
    """At the end of the block, whatever it ends with."""
    try:
        yield
    finally:
        show("\n".join(report.account_lines(so_far(plan)[1], prices, killed=killed(plan.journal))))


def _survey(plan: Plan, tokenizer: str | None) -> None:
    engine = None
    if tokenizer is not None:
        from dolmino_cli.tokenizer.engine import load_engine

        engine = load_engine(tokenizer)
    read = Counter[str]()
    for surveyed in tracked(
        survey_all(plan, engine),
        what="read",
        total_bytes=sum(shard.bytes for shard in plan.left),
        size_of=lambda one: one.shard.bytes,
        read=lambda: (read["documents"], read["bytes"]),
        shards=len(plan.left),
    ):
        read.update(documents=surveyed.requests // plan.wanted.copies, bytes=surveyed.prompt_bytes)


def _ask_shares(plan: Plan, endpoint: Endpoint, executor: Executor) -> None:
    counters = Counters(workers=executor.workers)
    entries = ask_shares(plan, endpoint, executor, run_counters=counters)
    sizes = {shard.name: shard.bytes for shard in plan.left}
    for _ in tracked(
        entries,
        what="rewrite",
        total_bytes=sum(sizes.values()),
        size_of=lambda entry: sizes[entry.name],
        read=counters.read,
        shards=len(sizes),
    ):
        pass


def _ask(plan: Plan, endpoint: Endpoint, prices: Prices) -> None:
    with counted("rewrite", total=plan.requests_left, unit="requests") as update:

        def progress(now: Progress) -> None:
            tokens = now.account.prompt_tokens + now.account.completion_tokens
            cost = prices.cost(now.account.prompt_tokens, now.account.completion_tokens)
            price = "" if cost is None else f", cost {cost:,.2f}"
            update(now.done, f"{big_tokens(tokens)} tokens{price}, {now.account.retries.total():,} retries")

        ask_all(plan, endpoint, progress=progress)
