"""One shard of a run as a task, and the options that all of a run's tasks share."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from dolmino_cli.documents import BATCH_BYTES
from dolmino_cli.pipeline.names import Format
from dolmino_cli.recipe import Recipe
from dolmino_cli.shards.parts import PART_BYTES
from dolmino_cli.shards.read_options import MAX_DOCUMENT_BYTES, ReadOptions
from dolmino_cli.shards.shard import Shard
from dolmino_cli.stages.stage import is_wide


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a run does besides the recipe. None of it changes which documents are kept, save `on_error` and the limit."""

    decide: bool = True  # False: `dolmino score`, attributes only
    on_error: Literal["fail", "quarantine"] = "fail"
    rejects: bool = False  # write dropped documents too
    measure_dropped: bool = False  # score documents that an earlier decision dropped
    format: Format | None = None  # of documents; None: .jsonl.zst, or Parquet for Parquet
    zstd_level: int = 1  # of documents: 2.5 times as fast as level 3, at 13 % more bytes
    scores: str | None = None  # folder of an earlier run whose scores are taken
    part_bytes: int = PART_BYTES  # of a shard's plain content: what is recorded at a time, and redone after a kill
    max_document_bytes: int = MAX_DOCUMENT_BYTES  # a larger record is set aside

    def recorded(self) -> dict[str, Any]:
        """What a rerun must repeat to be the same run. Where the scores came from is in `loaded`."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class ShardTask:
    """One independent piece of a run; picklable, the same for every executor.

    `helpers` other tasks of the same shard have `helps`: they do parts of it that nobody is at, and leave.
    """

    shard: Shard
    recipe: Recipe
    loaded: dict[str, dict[str, str]]  # what each measure loaded, by score
    run_recipe: dict[str, Any]  # resolved recipe with options, as the ledger keeps it
    output: str
    options: Options
    helpers: int = 0
    helps: bool = False


def read_options(task: ShardTask) -> ReadOptions:
    """How the task reads its shard."""
    return ReadOptions(
        on_error=task.options.on_error,
        batch_bytes=batch_bytes(task.recipe, task.options),
        rows=task.recipe.rows,
        max_document_bytes=task.options.max_document_bytes,
    )


def batch_bytes(recipe: Recipe, options: Options) -> int:
    """How much of a shard goes through the stages at once: the usual, or what a measure that will run asks for."""
    asked = [measure.batch_bytes for measure in recipe.measures if is_wide(measure)] if not options.scores else []
    return max([BATCH_BYTES, *asked])
