"""What a run would take: requests, tokens, money and time, each with what it rests on. Nothing is asked or written."""

from __future__ import annotations

from dataclasses import dataclass

from dolmino_cli.pipeline.dry_run import BYTES_PER_TOKEN
from dolmino_cli.sources.rewriting.account import Account, Prices
from dolmino_cli.sources.rewriting.run import Plan, so_far


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Of the requests left. `counted_by` says where the prompts' tokens come from, `account` what earlier answers took.

    `answer_tokens` is by the mean of the answers so far, None where there are none; `most_answer_tokens` if each reached
    max_tokens. `seconds` at the concurrency, by the mean of the answers so far; it holds if the server keeps its pace.
    """

    requests: int
    stored: int
    prompt_tokens: int
    counted_by: str
    answer_tokens: int | None
    most_answer_tokens: int
    seconds: float | None
    account: Account

    def costs(self, prices: Prices) -> tuple[float | None, float | None]:
        """What is likely and what is the most; None where prices or answers are not known."""
        likely = prices.cost(self.prompt_tokens, self.answer_tokens) if self.answer_tokens is not None else None
        return likely, prices.cost(self.prompt_tokens, self.most_answer_tokens)


def estimate(plan: Plan, *, concurrency: int, tokenizer: str | None) -> Estimate:
    """Estimate a surveyed plan. `tokenizer` names what counted the prompts in the survey, None where nothing did."""
    done, account = so_far(plan)
    surveyed = [plan.surveyed[shard.name] for shard in plan.left]
    total = sum(one.requests for one in surveyed)
    left = total - done
    share_left = left / total if total else 0.0
    if tokenizer is not None:
        tokens, counted_by = (
            float(sum(one.prompt_tokens for one in surveyed)),
            f"counted by {tokenizer}, without the chat's own marks",
        )
    else:
        tokens = sum(one.prompt_bytes for one in surveyed) / BYTES_PER_TOKEN
        counted_by = f"{BYTES_PER_TOKEN} bytes a token, dolma2 on English prose; --tokenizer counts"
    stated = account.answers - account.tokens_unstated
    if stated and tokenizer is None:
        tokens, counted_by = total * account.prompt_tokens / stated, f"mean of {stated:,} answers, as the server states"
    return Estimate(
        requests=left,
        stored=done,
        prompt_tokens=round(tokens * share_left),
        counted_by=counted_by,
        answer_tokens=round(left * account.completion_tokens / stated) if stated else None,
        most_answer_tokens=left * plan.wanted.template.sampling.max_tokens,
        seconds=left * account.answer_seconds / account.answers / concurrency if account.answers else None,
        account=account,
    )
