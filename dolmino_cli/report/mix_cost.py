"""What a planned mix costs, in lines: steps of the training run, storage, hours of cores and GPUs."""

from __future__ import annotations

from collections.abc import Iterator

from dolmino_cli.mix.estimate import Cost, Run
from dolmino_cli.mix.plan import MixPlan
from dolmino_cli.mix.training import Training
from dolmino_cli.report.amounts import big_bytes, big_tokens


def cost_lines(plan: MixPlan, training: Training | None, run: Run | None, cost: Cost) -> Iterator[str]:
    """One line each; what is not known is said."""
    if run is not None and training is not None:
        yield (
            f"training: {run.steps:,} steps of {training.batch_sequences:,} x {training.sequence_length:,} ="
            f" {big_tokens(run.batch_tokens)} tokens; {big_tokens(min(run.seen_tokens, plan.tokens))} seen"
            f" ({100 * min(run.seen_tokens, plan.tokens) / plan.tokens:.1f} %), {big_tokens(run.unseen_tokens)} not"
        )
        if training.learning_rate is not None:
            yield f"learning rate: {training.learning_rate.start:g} -> {training.learning_rate.end:g}, linear, no warm-up"
    rows = "rows unknown" if cost.row_bytes is None else f"rows about {big_bytes(cost.row_bytes)}"
    yield f"storage: arrays {big_bytes(cost.array_bytes)}, {rows}; scratch for rows, and tokens of sources on S3"
    making = f"sample {_hours(cost.sample_hours)}"
    if cost.filter_hours is not None and cost.retokenize_hours is not None:
        making = f"filter {_hours(cost.filter_hours)} or more, retokenize {_hours(cost.retokenize_hours)}, {making}"
    yield f"CPU-hours (one core): {making}"
    models = ", ".join(f"{model} {_hours(hours)}" for model, hours in cost.train_hours.items())
    yield f"GPU-hours: {models} (H200, LLM-jp's Table 4; --rate train=TOKENS_PER_SECOND for yours)"


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"
