"""A rewriting run in lines: what it would take, and what it took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dolmino_cli.report.amounts import big_tokens, duration
from dolmino_cli.sources.rewriting.account import MAYBE_CHARGED, Account, Prices
from dolmino_cli.sources.rewriting.estimate import Estimate


def estimate_lines(estimate: Estimate, prices: Prices, *, concurrency: int) -> list[str]:
    """What is left, and what each figure rests on."""
    lines = [
        f"{estimate.requests:,} requests to make, {estimate.stored:,} answered already",
        f"prompts: about {big_tokens(estimate.prompt_tokens)} tokens ({estimate.counted_by})",
    ]
    answers = f"at most {big_tokens(estimate.most_answer_tokens)} tokens (max_tokens each)"
    if estimate.answer_tokens is not None:
        answers = f"about {big_tokens(estimate.answer_tokens)} tokens (mean of {estimate.account.answers:,} answers), {answers}"
    lines.append(f"answers: {answers}")
    likely, most = estimate.costs(prices)
    if most is None:
        lines.append("cost: unknown; give --input-price and --output-price, per million tokens")
    else:
        lines.append("cost: " + (f"about {likely:,.2f}, " if likely is not None else "") + f"at most {most:,.2f}")
    if estimate.seconds is None:
        lines.append("time: unknown until some are answered")
    else:
        lines.append(f"time: about {duration(estimate.seconds)}, {concurrency:,} at a time as fast as so far")
    return lines


def account_lines(account: Account, prices: Prices, *, killed: tuple[int, int]) -> list[str]:
    """What was asked, by what became of it, and the cost in the server's own counts."""
    retries = account.retries.total()
    lines = [f"{account.requests:,} requests = {account.answers:,} answered + {account.refusals:,} refused + {retries:,} retried"]
    lines += [f"  {number:>12,}  {cause}" for cause, number in sorted(account.retries.items())]
    lines.append(
        f"{account.prompt_tokens:,} prompt tokens + {account.completion_tokens:,} answer tokens, as the server states"
        + (f"; {account.tokens_unstated:,} answers without a statement" if account.tokens_unstated else "")
    )
    cost = prices.cost(account.prompt_tokens, account.completion_tokens)
    if cost is not None:
        lines.append(f"cost: {cost:,.4f}")
    if account.maybe_charged:
        causes = ", ".join(cause for cause in MAYBE_CHARGED if account.retries[cause])
        lines.append(f"not in these: {account.maybe_charged:,} requests that may have been charged without an answer ({causes})")
    runs, requests = killed
    if runs:
        lines.append(f"not in these: up to {requests:,} requests under way when {runs:,} runs were killed")
    return lines


def balance_lines(counts: Mapping[str, Any]) -> list[str]:
    """in = kept + dropped + quarantined, and every reason that dropped something."""
    dropped = sum(counts["dropped"].values())
    lines = [
        f"{counts['in']:,} asked for = {counts['kept']:,} documents + {dropped:,} dropped + {counts['quarantined']:,} quarantined"
    ]
    return lines + [f"  {number:>12,}  {reason}" for reason, number in counts["dropped"].items() if number]
