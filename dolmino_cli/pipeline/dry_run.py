"""A sample of the shards through the recipe, and what it says of the whole."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import zstandard

from dolmino_cli.documents import Batch
from dolmino_cli.pipeline.evaluate import evaluate, score_columns
from dolmino_cli.pipeline.existing_scores import ExistingScores
from dolmino_cli.pipeline.run import prepare
from dolmino_cli.pipeline.shard_task import Options
from dolmino_cli.pipeline.tally import StageTally
from dolmino_cli.recipe import Recipe
from dolmino_cli.shards.listing import Shard
from dolmino_cli.shards.reading import Quarantined, read_batches

SAMPLE_SHARDS = 4
SAMPLE_DOCUMENTS_PER_SHARD = 4000
# A measure that runs a Transformer on a CPU scores one document a second or so: the sample ends after these, too.
SAMPLE_SECONDS_PER_SHARD = 15
_SAMPLE_BATCH_BYTES = 1 << 17
_WARM_UP_DOCUMENTS = 8
# dolma2 on English prose, measured; a recipe's tokenizer may differ by some 10 %.
BYTES_PER_TOKEN = 4.2


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """`tally` counts the sample; the other figures are for all shards. Seconds are wall time with `workers`."""

    recipe: Recipe
    tally: StageTally
    sampled: str
    documents_kept: int
    text_bytes_kept: int
    output_bytes: int
    tokens_kept: int
    bytes_per_token: float
    seconds: float
    workers: int


def predict(recipe: Recipe, shards: Sequence[Shard], options: Options, *, workers: int) -> Prediction:
    """Run the head of a few evenly spaced shards through `recipe`; write nothing.

    The whole is scaled by bytes: the sample's records are compressed as the shards are, which tells how much of the
    listed bytes they stand for.
    """
    prepare(recipe, options)
    tally, seconds = StageTally.of(recipe.drops), defaultdict[str, float](float)
    chosen = _evenly_spaced(shards)
    sampled_bytes = written_bytes = 0
    warm = False
    started = time.perf_counter()
    for shard in chosen:
        existing = ExistingScores(options.scores, shard.name, score_columns(recipe)) if options.scores else None
        documents, ends = 0, time.perf_counter() + SAMPLE_SECONDS_PER_SHARD
        for batch, quarantined in _batches(recipe, shard, options):
            if len(batch) == 0:
                continue
            outcome_scores = existing.take(batch) if existing else None
            if not warm:
                # The first documents pay for loading models and compiling kernels; the rate must not.
                _warm_up(recipe, batch, outcome_scores)
                warm, started = True, time.perf_counter()
                ends = started + SAMPLE_SECONDS_PER_SHARD
            outcome = evaluate(
                recipe,
                batch,
                tally=tally,
                seconds=seconds,
                decide=options.decide,
                measure_dropped=options.measure_dropped,
                existing=outcome_scores,
            )
            tally.documents_in += len(batch)
            tally.quarantined += len(quarantined)
            tally.bytes_in += pc.sum(pc.binary_length(batch.text)).as_py()
            sampled_bytes += _stored_bytes(batch, compressed=not shard.path.endswith(("jsonl", "json", "ndjson")))
            written_bytes += (
                _stored_bytes(outcome.documents, compressed=True, zstd_level=options.zstd_level) if options.decide else 0
            )
            documents += len(batch)
            if documents >= SAMPLE_DOCUMENTS_PER_SHARD or time.perf_counter() > ends:
                break
    elapsed = time.perf_counter() - started
    scale = sum(shard.bytes for shard in shards) / sampled_bytes if sampled_bytes else 0.0
    return Prediction(
        recipe=recipe,
        tally=tally,
        sampled=f"{tally.documents_in:,} documents from {len(chosen)} of {len(shards):,} shards",
        documents_kept=round(tally.documents_kept * scale),
        text_bytes_kept=round(tally.bytes_kept * scale),
        output_bytes=round(written_bytes * scale),
        tokens_kept=round(tally.bytes_kept * scale / BYTES_PER_TOKEN),
        bytes_per_token=BYTES_PER_TOKEN,
        seconds=elapsed * scale / workers,
        workers=workers,
    )


def _evenly_spaced(shards: Sequence[Shard]) -> list[Shard]:
    if len(shards) <= SAMPLE_SHARDS:
        return list(shards)
    return [shards[i * len(shards) // SAMPLE_SHARDS] for i in range(SAMPLE_SHARDS)]


def _batches(recipe: Recipe, shard: Shard, options: Options) -> Iterator[tuple[Batch, list[Quarantined]]]:
    return read_batches(
        shard,
        on_error=options.on_error,
        batch_bytes=_SAMPLE_BATCH_BYTES,
        rows=recipe.rows,
        max_document_bytes=options.max_document_bytes,
    )


def _warm_up(recipe: Recipe, batch: Batch, existing: Mapping[str, pa.Array] | None) -> None:
    few = batch.where(np.arange(len(batch)) < _WARM_UP_DOCUMENTS)
    head = {score: column.slice(0, len(few)) for score, column in existing.items()} if existing else None
    evaluate(recipe, few, tally=StageTally.of(recipe.drops), seconds=defaultdict(float), existing=head)


def _stored_bytes(batch: Batch, *, compressed: bool, zstd_level: int = 3) -> int:
    texts = batch.text if pa.types.is_struct(batch.record.type) else batch.record
    if not compressed:
        return (pc.sum(pc.binary_length(texts)).as_py() or 0) + len(texts)
    joined = b"\n".join(value.as_buffer() for value in texts.cast(pa.large_binary()))
    return len(zstandard.ZstdCompressor(level=zstd_level).compress(joined))
