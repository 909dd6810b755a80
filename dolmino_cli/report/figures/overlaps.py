"""What a run's decisions by an evaluation index dropped: documents by task and instance, out of the attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dolmino_cli.report.figures.attributes import Attributes

INDEXED = ("ngram_overlap", "in_index")
_MOST_INSTANCES = 3


@dataclass(frozen=True, kw_only=True)
class TaskHits:
    """Of one task: documents dropped for it, the instances they were dropped for, and those named most."""

    task: str
    documents: int
    instances: int
    named_most: tuple[tuple[str, int], ...]
    """(instance id with its split, documents), at most 3."""


def overlaps(attributes: Attributes, recipe: dict[str, Any]) -> tuple[TaskHits, ...]:
    """Per task, most documents first; empty where the recipe drops nothing by an index.

    Memory is that of the distinct instances found.
    """
    counted: list[pa.Table] = []
    for score, of_score in reasons_by_score(recipe, INDEXED).items():
        evidence = f"{score}_evidence"
        columns = ["reason", *(f"{evidence}.{name}" for name in ("task", "split", "instance"))]
        for _, _, batch in attributes.batches(columns):
            if "reason" not in batch.schema.names or evidence not in batch.schema.names:
                continue
            dropped = batch.filter(pc.is_in(batch.column("reason"), value_set=pa.array(of_score, batch.column("reason").type)))
            if len(dropped):
                counted = [_summed(pa.concat_tables([*counted, _named(dropped.column(evidence))]))]
    return _by_task(counted[0]) if counted else ()


def reasons_by_score(recipe: dict[str, Any], measures: Sequence[str]) -> dict[str, list[str]]:
    """Reasons of the decisions over the scores that stages called `measures` write, by score; `recipe` as run.json has it."""
    stages = recipe.get("stages", ())
    scores = [stage[name]["into"] for stage in stages for name in measures if name in stage]
    keeps = [stage["keep"] for stage in stages if "keep" in stage]
    reasons = {score: [keep["reason"] for keep in keeps if keep["score"] == score] for score in scores}
    return {score: found for score, found in reasons.items() if found}


def _named(evidence: pa.Array) -> pa.Table:
    names = [pc.struct_field(evidence, name).cast(pa.large_string()) for name in ("task", "split", "instance")]
    return pa.table(
        [*names, pa.repeat(pa.scalar(1, pa.int64()), len(evidence))], names=["task", "split", "instance", "documents"]
    )


def _summed(table: pa.Table) -> pa.Table:
    summed = table.group_by(["task", "split", "instance"]).aggregate([("documents", "sum")])
    return summed.select(["task", "split", "instance", "documents_sum"]).rename_columns(table.column_names)


def _by_task(table: pa.Table) -> tuple[TaskHits, ...]:
    order = [("documents", "descending"), ("task", "ascending"), ("split", "ascending"), ("instance", "ascending")]
    ordered = table.sort_by(order)
    found = []
    for task in pc.unique(ordered["task"]).to_pylist():
        mine = ordered.filter(pc.equal(ordered["task"], task))
        most = mine.slice(0, _MOST_INSTANCES).to_pylist()
        found.append(
            TaskHits(
                task=task,
                documents=pc.sum(mine["documents"]).as_py(),
                instances=len(mine),
                named_most=tuple((f"{row['instance']} ({row['split']})", row["documents"]) for row in most),
            )
        )
    return tuple(sorted(found, key=lambda hits: (-hits.documents, hits.task)))
