"""A recipe's stages over one batch: which documents stay, for what reason the others go, and every score."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dolmino_cli.documents import Batch
from dolmino_cli.pipeline.agreement import compare
from dolmino_cli.pipeline.tally import StageTally
from dolmino_cli.recipe import Recipe, drops_of, stage_name
from dolmino_cli.shards.conversion import rewritten
from dolmino_cli.stages.keep import Keep
from dolmino_cli.stages.stage import Edit, Measure, edits, evidence_name, explains


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The outcome for one batch; all columns have one row per document of it, in order.

    `reason` is null where the document is kept. A score is null where it was not measured. Evidence columns of measures that
    explain stand among the scores. `documents` are those kept, as they are to be written.
    """

    documents: Batch
    scores: dict[str, pa.Array]
    kept: np.ndarray
    reason: pa.Array

    def attributes(self, batch: Batch) -> pa.RecordBatch:
        """The sidecar rows: id, line, every score, kept, reason."""
        columns = {"id": batch.id, "line": batch.line, **self.scores, "kept": pa.array(self.kept), "reason": self.reason}
        return pa.RecordBatch.from_pydict(columns)


def evaluate(
    recipe: Recipe,
    batch: Batch,
    *,
    tally: StageTally,
    seconds: defaultdict[str, float],
    decide: bool = True,
    measure_dropped: bool = False,
    existing: Mapping[str, pa.Array] | None = None,
) -> Evaluated:
    """Run the stages over `batch` in order.

    A document dropped by an earlier decision is not measured by later stages unless `measure_dropped`. With
    `decide=False` decisions are passed over (`dolmino score`). Scores in `existing` (one row per document) are
    taken instead of measuring. Counts, and comparisons with a measure's reference, go to `tally`, wall seconds to
    `seconds[score or reason]`.
    """
    total = len(batch)
    alive = np.ones(total, dtype=bool)
    dropped_by = np.full(total, -1, dtype=np.int32)
    scores: dict[str, pa.Array] = {}
    remaining = batch
    text_bytes = pc.binary_length(batch.text).to_numpy()
    number = 0  # of the next way to be dropped
    for stage in recipe.stages:
        started = time.perf_counter()
        if edits(stage):
            remaining, arriving = _edit(stage, remaining)
            for reason in range(number, number + len(stage.reasons)):
                keeps = arriving != reason - number
                tally.add(reason, keeps=keeps, text_bytes=text_bytes[alive], near=0)
                _drop(keeps, reason, alive, dropped_by)
                arriving = arriving[keeps]
            seconds[stage_name(stage)] += time.perf_counter() - started
        elif not isinstance(stage, Keep):
            if existing is not None and stage.into in existing:
                scores |= {name: existing[name] for name in columns(stage)}
            elif measure_dropped or len(remaining) == total:
                scores |= _measure(stage, batch, tally)
            else:
                scores |= {name: _spread(column, alive) for name, column in _measure(stage, remaining, tally).items()}
            seconds[stage.into] += time.perf_counter() - started
        elif decide:
            column = scores[stage.score]
            of_remaining = column if len(remaining) == total else column.filter(pa.array(alive))
            keeps = stage.decide(of_remaining, remaining)
            tally.add(
                number,
                keeps=keeps,
                text_bytes=text_bytes[alive],
                near=stage.near(of_remaining, _tolerance(recipe, stage.score, tally)),
            )
            _drop(keeps, number, alive, dropped_by)
            remaining = remaining.where(keeps)
            seconds[stage.reason] += time.perf_counter() - started
        number += len(drops_of(stage))
    reasons = pa.array([drop.reason for drop in recipe.drops], pa.string())
    reason_of = reasons.take(pa.array(dropped_by, mask=dropped_by < 0))
    return Evaluated(documents=remaining, scores=scores, kept=alive, reason=reason_of)


def columns(measure: Measure) -> dict[str, pa.DataType | None]:
    """The columns that a measure writes; the type of a score (float64 or int64) is known when it is there."""
    return {measure.into: None} | ({evidence_name(measure): measure.evidence} if explains(measure) else {})


def score_columns(recipe: Recipe) -> tuple[str, ...]:
    """Names of the columns that all measures write."""
    return tuple(name for measure in recipe.measures for name in columns(measure))


def _measure(stage: Measure, batch: Batch, tally: StageTally) -> dict[str, pa.Array]:
    found = stage.explain(batch) if explains(stage) else (stage(batch),)
    for column in found:
        assert len(column) == len(batch), f"{stage!r} gave {len(column)} scores for {len(batch)} documents"
    compare(stage, batch, found[0], tally.agreements)
    return dict(zip(columns(stage), found, strict=True))


def _drop(keeps: np.ndarray, number: int, alive: np.ndarray, dropped_by: np.ndarray) -> None:
    """Of the documents alive, those that `keeps` does not keep are dropped by way `number`."""
    if not keeps.all():
        gone = np.flatnonzero(alive)[~keeps]
        dropped_by[gone] = number
        alive[gone] = False


def _edit(stage: Edit, batch: Batch) -> tuple[Batch, np.ndarray]:
    """The documents that stay, written anew; and per document of `batch` the number of its reason, -1 where it stays."""
    edited = stage.edit(batch)
    assert len(edited.text) == len(edited.id) == len(edited.metadata) == len(edited.dropped) == len(batch), f"{stage!r} lost rows"
    stays = edited.dropped < 0
    left, chosen = batch.where(stays), pa.array(stays)
    metadata = [more for more, kept in zip(edited.metadata, stays.tolist(), strict=True) if kept]
    return rewritten(left, edited.id.filter(chosen), edited.text.filter(chosen), metadata), edited.dropped


def _spread(scores: pa.Array, alive: np.ndarray) -> pa.Array:
    """Scores of the documents alive, laid out over all documents; null elsewhere."""
    places = np.cumsum(alive) - 1
    return scores.take(pa.array(places, mask=~alive))


def _tolerance(recipe: Recipe, score: str, tally: StageTally) -> float:
    stated = next(measure.tolerance for measure in recipe.measures if measure.into == score)
    return max(stated, tally.agreements[score].largest) if score in tally.agreements else stated
