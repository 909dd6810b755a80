"""What a mix costs: steps, storage, hours. Rates are measured ones, and every one can be replaced by your own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dolmino_cli.mix.plan import MixPlan, PlannedSource
from dolmino_cli.mix.training import Training

# Of a document's record where no table prints its bytes: the mean of the OLMo 2 paper's Table 5 (5.09T bytes, 832.6B tokens).
_BYTES_PER_TOKEN = 6.1
# A document's rows: .csv.gz and .documents.arrow (mean of the sample data's mixes).
_BYTES_PER_DOCUMENT = 120


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Speeds: MB/s per CPU core of records filtered and tokenised and of token ids written; tokens/s per GPU.

    CPU: benchmarks/README.md, one core of an AMD EPYC. GPU: LLM-jp's Table 4, Megatron on H200 of 500 W, by model size.
    """

    filter: float = 40.0
    retokenize: float = 48.0
    sample: float = 100.0
    train: Mapping[str, float] = field(default_factory=lambda: {"1.3B": 41_757.0, "7.7B": 6_880.0})


@dataclass(frozen=True, kw_only=True)
class Run:
    """A training run over a mix, in tokens."""

    batch_tokens: int
    steps: int
    steps_of_an_epoch: int
    seen_tokens: int
    unseen_tokens: int


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Storage in bytes, and hours of one core or one GPU. Filtering counts what is kept: what is dropped comes on top."""

    array_bytes: int
    row_bytes: int | None
    """None where the documents of a source are not known."""
    filter_hours: float | None
    """None where all sources have token arrays already."""
    retokenize_hours: float | None
    sample_hours: float
    train_hours: Mapping[str, float]


def run_of(plan: MixPlan, training: Training) -> Run:
    """The steps of a run over the plan; without `training.steps`, one epoch of whole steps."""
    whole = plan.tokens // training.batch_tokens
    steps = whole if training.steps is None else training.steps
    trained = steps * training.batch_tokens
    return Run(
        batch_tokens=training.batch_tokens,
        steps=steps,
        steps_of_an_epoch=whole,
        seen_tokens=trained,
        unseen_tokens=max(0, plan.tokens - trained),
    )


def cost_of(plan: MixPlan, run: Run | None, rates: Rates, *, token_bytes: int) -> Cost:
    """What making the mix and training on it (one epoch, if no run is given) costs; a token id is of `token_bytes`."""
    unmade = [source for source in plan.sources if source.available is None or source.available.kind == "published"]
    record_megabytes = sum(_record_bytes(source) for source in unmade) / 1e6
    documents = [_documents(source) for source in plan.sources]
    known = [count for count in documents if count is not None]
    trained = run.seen_tokens if run is not None else plan.tokens
    return Cost(
        array_bytes=plan.tokens * token_bytes,
        row_bytes=int(sum(known) * _BYTES_PER_DOCUMENT) if len(known) == len(documents) else None,
        filter_hours=record_megabytes / rates.filter / 3600 if unmade else None,
        retokenize_hours=record_megabytes / rates.retokenize / 3600 if unmade else None,
        sample_hours=plan.tokens * token_bytes / 1e6 / rates.sample / 3600,
        train_hours={model: trained / rate / 3600 for model, rate in rates.train.items()},
    )


def _record_bytes(source: PlannedSource) -> float:
    """Of all that the source holds: to be filtered and tokenised before any of it can be taken."""
    if source.available is None:
        return source.tokens * _BYTES_PER_TOKEN
    return source.available.bytes or source.available.tokens * _BYTES_PER_TOKEN


def _documents(source: PlannedSource) -> float | None:
    """Documents taken, copies counted; None where the source's are not known."""
    if source.available is None or source.available.documents is None or source.epochs is None:
        return None
    return float(source.available.documents * source.epochs)
