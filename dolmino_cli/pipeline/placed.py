"""Measures that want a GPU, done where the run has some, while every other stage stays with the worker that read the shard."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pyarrow as pa

from dolmino_cli.documents import Batch
from dolmino_cli.executors.executor import Elsewhere, Executor, elsewhere
from dolmino_cli.recipe import Recipe
from dolmino_cli.stages.stage import Accelerated, is_accelerated


@dataclass(frozen=True, kw_only=True)
class Placed:
    """`measure`, done by `elsewhere`: an `Accelerated` measure itself, of the same scores. Only id and text are sent.

    It stands in the recipe that tasks run, never in the one that is recorded: what is loaded is looked up where it is used.
    """

    measure: Accelerated
    elsewhere: Elsewhere = field(compare=False, repr=False)
    batch_bytes: int
    """What the measure asks for there."""
    accelerated: bool = True

    @property
    def into(self) -> str:
        """As the measure's."""
        return self.measure.into

    @property
    def tolerance(self) -> float:
        """As the measure's."""
        return self.measure.tolerance

    def prepare(self) -> dict[str, str]:
        """What the measure loads there."""
        loaded: dict[str, str] = self.elsewhere(_prepare, self.measure)
        return loaded

    def __call__(self, batch: Batch) -> pa.Array:
        """The measure's scores."""
        return self.elsewhere(_measure, self.measure, batch.shard, _columns(batch))

    def reference(self, batch: Batch) -> pa.Array | None:
        """The measure's reference, there as well."""
        return self.elsewhere(_reference, self.measure, batch.shard, _columns(batch))


def placed(recipe: Recipe, executor: Executor) -> Recipe:
    """The recipe as `executor` runs it: measures that want a GPU go where it has some. Itself where that is nowhere.

    Raises what `Executor` raises when workers cannot be had.
    """
    found = elsewhere(executor) if any(map(is_accelerated, recipe.measures)) else None
    if found is None:
        return recipe
    stages = tuple(_placed(stage, found) if is_accelerated(stage) else stage for stage in recipe.stages)
    return replace(recipe, stages=stages)


def _placed(measure: Accelerated, found: Elsewhere) -> Placed:
    return Placed(measure=measure, elsewhere=found, batch_bytes=found(_batch_bytes, measure))


def _columns(batch: Batch) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"id": batch.id, "text": batch.text, "line": batch.line})


def _batch(shard: str, sent: pa.RecordBatch) -> Batch:
    record = pa.nulls(len(sent), pa.large_binary())
    return Batch(shard=shard, id=sent["id"], text=sent["text"], record=record, line=sent["line"])


def _prepare(measure: Accelerated) -> dict[str, str]:
    return measure.prepare()


def _batch_bytes(measure: Accelerated) -> int:
    return measure.batch_bytes


def _measure(measure: Accelerated, shard: str, sent: pa.RecordBatch) -> pa.Array:
    return measure(_batch(shard, sent))


def _reference(measure: Accelerated, shard: str, sent: pa.RecordBatch) -> pa.Array | None:
    return measure.reference(_batch(shard, sent))
