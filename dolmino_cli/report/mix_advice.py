"""What a person should know about a planned mix before it is made: one line each, none for a mix with nothing to say."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from dolmino_cli.mix.compare import Amount, compare
from dolmino_cli.mix.estimate import Run
from dolmino_cli.mix.manifest import Manifest
from dolmino_cli.mix.plan import MixPlan, PlannedSource
from dolmino_cli.mix.printed import as_printed, possible_mix_percent, possible_tokens
from dolmino_cli.mix.share import Share
from dolmino_cli.report.amounts import big_tokens

# Up to four passes, repeated data is nearly as good as new (Muennighoff et al. 2023, arXiv:2305.16264).
REPETITION_BOUND = 4.0
# Of tokens: less is what rounding of printed shares and whole files leaves.
_VARIANT_TOLERANCE = Fraction(1, 50)
_NAME_TOLERANCE = Fraction(1, 100)
_UNSEEN_TOLERANCE = Fraction(1, 1000)


def advice(manifest: Manifest, plan: MixPlan, run: Run | None, *, repetition_bound: float = REPETITION_BOUND) -> Iterator[str]:
    """The warnings of a plan, in the order of the mix, its sources, the published figures, the training run."""
    yield from _about_the_name(manifest, plan)
    if plan.left_out is not None:
        yield plan.left_out
    shares = {name: claim.share for claim in manifest.claims() for name in claim.sources}
    for source in plan.sources:
        yield from _about_repetition(shares[source.name], source, repetition_bound)
    if plan.scale == 1:
        yield from _about_what_was_published(manifest, plan)
    if run is not None:
        yield from _about_the_run(plan, run)


def _about_the_name(manifest: Manifest, plan: MixPlan) -> Iterator[str]:
    nominal = manifest.nominal_tokens
    if nominal is not None and plan.scale == 1 and abs(plan.tokens - nominal) > nominal * _NAME_TOLERANCE:
        change = 100 * Fraction(plan.tokens - nominal, nominal)
        yield f"the name says {big_tokens(nominal)} tokens, the plan takes {big_tokens(plan.tokens)} ({float(change):+.1f} %)"


def _about_the_published_total(plan: MixPlan) -> Iterator[str]:
    published = plan.expected_tokens
    if published is not None and abs(plan.tokens - published) > published * _NAME_TOLERANCE:
        yield f"the published total contradicts the shares: {big_tokens(published)} tokens, planned {big_tokens(plan.tokens)}"


def _about_repetition(share: Share, source: PlannedSource, bound: float) -> Iterator[str]:
    if source.epochs is None or source.available is None:
        return
    if source.epochs > bound:
        yield f"{source.name} is seen {float(source.epochs):.3g} times, more than {bound:g}: repeating that often may not help"
    if source.epochs > 1 and share.source_percent is None:
        held = big_tokens(source.available.tokens)
        yield (
            f"{source.name} is exhausted: the plan takes {big_tokens(source.tokens)} tokens of the {held} that it has,"
            f" so it is seen {float(source.epochs):.3g} times"
        )


def _about_what_was_published(manifest: Manifest, plan: MixPlan) -> Iterator[str]:
    if any(source.available is not None and source.available.kind == "arrays" for source in plan.sources):
        return  # Other documents or another tokenizer: a difference from the table is no contradiction within it.
    yield from _about_the_published_total(plan)
    tokens = possible_tokens(manifest, plan)
    off = []
    for row in (*plan.groups, *plan.sources):
        if row.expected_mix_percent is None:
            continue
        published = float(row.expected_mix_percent)
        if not possible_mix_percent(row, tokens).meets(as_printed(published)):
            off.append(f"{row.name} {published:g} published, {float(row.mix_percent):.4g} planned")
    if off:
        yield f"the published Mix % contradict the shares, beyond rounding: {'; '.join(off)}"


def _about_the_run(plan: MixPlan, run: Run) -> Iterator[str]:
    if run.steps == 0:
        yield f"the mix is smaller than one step of {run.batch_tokens:,} tokens: nothing would be trained"
    elif run.steps < run.steps_of_an_epoch and run.unseen_tokens > plan.tokens * _UNSEEN_TOLERANCE:
        share = 100 * Fraction(run.unseen_tokens, plan.tokens)
        seen = f"{big_tokens(run.seen_tokens)} tokens are seen, {big_tokens(run.unseen_tokens)} ({float(share):.1f} %) never"
        yield f"training stops after {run.steps:,} steps of {run.steps_of_an_epoch:,}: {seen}"
    elif run.seen_tokens > plan.tokens * (1 + _UNSEEN_TOLERANCE):
        yield f"training goes on after an epoch: {run.steps:,} steps, the mix has {run.steps_of_an_epoch:,}"


def variant_advice(other: MixPlan, plan: MixPlan) -> Iterator[str]:
    """Where a mix takes more or less of a source than the one it is a variant of, at the grain that both have.

    Sources seen equally often in both, of whatever sizes the two give, are no difference of the mixes.
    """
    for row in compare(other, plan):
        if row.is_group or not row.differs:
            continue
        more = f"{big_tokens(abs(row.tokens_difference))} tokens {'more' if row.tokens_difference > 0 else 'less'}"
        if row.before is None:
            yield f"{row.name} is not in {other.name}: {more}"
        elif row.after is None:
            yield f"{row.name} is in {other.name} and not in {plan.name}: {more}"
        elif abs(row.tokens_difference) > row.before.tokens * _VARIANT_TOLERANCE and _times(row.after) != _times(row.before):
            yield f"{row.name} is taken {_times(row.after)}, in {other.name} {_times(row.before)}: {more}"


def _times(amount: Amount) -> str:
    """Whole passes are counted, what is near one too: 199.8 % is one file's tail from twice."""
    if amount.source_percent is None:
        return f"by {big_tokens(amount.tokens)} tokens"
    passes = round(amount.source_percent / 100)
    if passes and abs(amount.source_percent - 100 * passes) < 1:
        return ("once", "twice")[passes - 1] if passes < 3 else f"{passes} times"
    return f"at {float(amount.source_percent):.4g} %"
