"""What a run found by an index: its evidence out of the attributes, beside the documents and the instances."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dolmino_cli.errors import ConfigError
from dolmino_cli.pipeline.names import attributes_name
from dolmino_cli.shards.ledger import LedgerEntry, load_all
from dolmino_cli.shards.reading import read_batches
from dolmino_cli.shards.rows import RowLayout
from dolmino_cli.shards.storage import Output, fetch, join

_INDEXED = ("ngram_overlap", "in_index")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One document that a decision by an index dropped, with what it was dropped for. Places are bytes of its text."""

    shard: str
    path: str
    """Where the documents were read from."""
    line: int
    id: str
    reason: str
    share: float
    task: str
    split: str
    instance: str
    number: int
    start_byte: int
    end_byte: int


@dataclass(kw_only=True)
class TaskReport:
    """What was found of one task."""

    documents: int = 0
    instances: set[int] = field(default_factory=set)
    by_reason: dict[str, int] = field(default_factory=dict)


def index_of(run: str) -> str:
    """The index that the run used. Raises ConfigError where `run` is no run, or one without a measure by an index."""
    stages = _summary(run)["recipe"]["stages"]
    for stage in stages:
        for measure in _INDEXED:
            if measure in stage:
                return str(stage[measure]["index"])
    names = ", ".join(name for stage in stages for name in stage)
    raise ConfigError(f"{run}: its recipe has no {' or '.join(_INDEXED)} to review; it has: {names}")


def findings(run: str) -> Iterator[Finding]:
    """Every document dropped for its overlap, by shard and line."""
    scores = _scores_by_reason(run)
    for entry in load_all(Output(run)):
        table = pq.read_table(fetch(join(run, "attributes", attributes_name(entry.name))), memory_map=True)
        if "reason" not in table.column_names:
            raise ConfigError(f"{run}: made by `dolmino score`, so nothing was dropped; review the output of `dolmino filter`")
        dropped = table.filter(pc.is_in(table["reason"], value_set=pa.array(list(scores), pa.string())))
        for row in dropped.to_pylist():
            score = scores[row["reason"]]
            yield Finding(
                shard=entry.name,
                path=_input_path(entry),
                line=row["line"],
                id=row["id"],
                reason=row["reason"],
                share=row[score],
                **row[f"{score}_evidence"],
            )


def by_task(found: Sequence[Finding]) -> dict[str, TaskReport]:
    """Per task, most documents first: documents, distinct instances, documents by reason."""
    reports: dict[str, TaskReport] = {}
    for finding in found:
        report = reports.setdefault(finding.task, TaskReport())
        report.documents += 1
        report.instances.add(finding.number)
        report.by_reason[finding.reason] = report.by_reason.get(finding.reason, 0) + 1
    return dict(sorted(reports.items(), key=lambda item: (-item[1].documents, item[0])))


def texts_of(run: str, found: Sequence[Finding]) -> dict[Finding, str]:
    """The documents' texts, read again from the inputs of `run`, which must not have changed."""
    rows = [RowLayout(**layout) for layout in _summary(run)["recipe"].get("rows", ())]
    texts: dict[Finding, str] = {}
    for path in sorted({finding.path for finding in found}):
        wanted = {finding.line: finding for finding in found if finding.path == path}
        for batch, _ in read_batches(path, on_error="quarantine", rows=rows):
            for row, line in enumerate(batch.line.to_pylist()):
                if line in wanted and batch.id[row].as_py() == wanted[line].id:
                    texts[wanted[line]] = batch.text[row].as_py()
            if len(batch) and batch.line[-1].as_py() >= max(wanted):
                break
        missing = [finding for finding in wanted.values() if finding not in texts]
        if missing:
            raise ConfigError(f"{path}: line {missing[0].line} is no longer document {missing[0].id!r}; the input has changed")
    return texts


def _scores_by_reason(run: str) -> dict[str, str]:
    """Reasons of the decisions over a score that an index gives."""
    stages = _summary(run)["recipe"]["stages"]
    overlaps = {stage[name]["into"] for stage in stages for name in _INDEXED if name in stage}
    keeps = [stage["keep"] for stage in stages if "keep" in stage]
    return {keep["reason"]: keep["score"] for keep in keeps if keep["score"] in overlaps}


def _summary(run: str) -> dict[str, Any]:
    data = Output(run).read("run.json")
    if data is None:
        raise ConfigError(f"{run}: no run.json there; give the output folder of `dolmino filter`")
    summary: dict[str, Any] = json.loads(data)
    return summary


def _input_path(entry: LedgerEntry) -> str:
    return str(entry.input["path"])
