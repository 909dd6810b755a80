"""Documents of a shard -> the requests that are made about them, numbered; the same at every reading."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from dolmino_cli.documents import BATCH_BYTES, Batch
from dolmino_cli.errors import DataError
from dolmino_cli.shards.conversion import kept_bytes, to_json_lines, unwritable
from dolmino_cli.shards.faults import OnError
from dolmino_cli.shards.reading import Quarantined, read_batches
from dolmino_cli.shards.shard import Shard
from dolmino_cli.sources.rewriting.template import Template
from dolmino_cli.stages.document_field import plain_values_at

_ENCODER = msgspec.json.Encoder()
DIGEST_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked about every document: everything that an answer depends on besides the documents."""

    template: Template
    copies: int
    """How many answers are wanted of each document, numbered from 0."""
    on_error: OnError

    def recorded(self) -> dict[str, Any]:
        """All of it, JSON-able: what the journal and the ledger keep, and a rerun must repeat."""
        options = {"copies": self.copies, "on_error": self.on_error}
        return {"name": f"rewrite {self.template.name}", "template": self.template.resolved(), "options": options}


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One answer to ask for. `number` counts a shard's requests from 0: all copies of its first document, of its second, ..."""

    number: int
    line: int
    copy: int
    body: bytes
    """The JSON that is sent, byte for byte."""

    @property
    def digest(self) -> bytes:
        """sha256 of the body: of the prompt, the model and the sampling together."""
        return hashlib.sha256(self.body).digest()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Consecutive documents of a shard that are asked about, and those set aside.

    `fields` has the values of the template's places, one per document; `first` is the number of the first request.
    """

    wanted: Wanted
    batch: Batch
    fields: Mapping[str, Sequence[str]]
    quarantined: Sequence[Quarantined]
    first: int

    def __len__(self) -> int:
        return len(self.batch) * self.wanted.copies

    def values(self, row: int) -> dict[str, str]:
        """The values of the template's places for the document in `row`."""
        return {name: column[row] for name, column in self.fields.items()}

    def messages(self, row: int) -> list[dict[str, str]]:
        """The messages that are sent about the document in `row`."""
        template, values = self.wanted.template, self.values(row)
        user = {"role": "user", "content": template.prompt_pattern.fill(values)}
        if template.system is None:
            return [user]
        return [{"role": "system", "content": template.system_pattern.fill(values)}, user]

    def requests(self) -> Iterator[Request]:
        """Every request about these documents, in order."""
        template = self.wanted.template
        constant = {"model": template.model, **_sent(template)}
        ids, lines = self.batch.id.to_pylist(), self.batch.line.to_pylist()
        number = self.first
        for row, (id, line) in enumerate(zip(ids, lines, strict=True)):
            messages = self.messages(row)
            for copy in range(self.wanted.copies):
                seed = template.seed_of(id, copy)
                body = {**constant, "messages": messages, **({} if seed is None else {"seed": seed})}
                yield Request(number=number, line=line, copy=copy, body=_ENCODER.encode(body))
                number += 1


def _sent(template: Template) -> dict[str, Any]:
    sampling = template.sampling
    sent = {"max_tokens": sampling.max_tokens, "temperature": sampling.temperature}
    if sampling.top_p is not None:
        sent["top_p"] = sampling.top_p
    return {**sent, **({"stop": list(sampling.stop)} if sampling.stop else {})}


def read_asked(shard: Shard, wanted: Wanted, *, batch_bytes: int = BATCH_BYTES) -> Iterator[Asked]:
    """The documents of `shard` in order, about `batch_bytes` of them at a time.

    A document that lacks a field which the template has a place for is treated as an unreadable record is, and so is a row of
    Parquet that JSON cannot hold: the batches' records are JSON lines, so that writing the answers has nothing left to refuse.
    Raises DataError and StorageError as `read_batches` does.
    """
    first = 0
    for batch, unreadable in read_batches(shard, on_error=wanted.on_error, batch_bytes=batch_bytes, rows=wanted.template.rows):
        lines, without_json = _as_lines(batch, wanted.on_error)
        fields, problems = _fields(lines, wanted.template.fields)
        whole, lacking = _set_aside(lines, problems, wanted.on_error)
        fields = {name: [value for row, value in enumerate(column) if row not in problems] for name, column in fields.items()}
        quarantined = sorted([*unreadable, *without_json, *lacking], key=lambda one: one.line)
        asked = Asked(wanted=wanted, batch=whole, fields=fields, quarantined=quarantined, first=first)
        yield asked
        first += len(asked)


def _fields(batch: Batch, names: Sequence[str]) -> tuple[dict[str, list[str]], dict[int, str]]:
    """The columns of `names` as text, and what is wrong with them, by row."""
    problems: dict[int, str] = {}
    columns = {}
    for name in names:
        if name in ("id", "text"):
            columns[name] = getattr(batch, name).to_pylist()
            continue
        found = plain_values_at(batch, name)
        columns[name] = []
        for row, value in enumerate(found):
            if not isinstance(value, (str, int, float)):
                kind = "missing" if value is None else f"{type(value).__name__}, not text or a number"
                problems.setdefault(row, f"document {batch.id[row].as_py()!r}: the template needs {name}, which is {kind}")
            columns[name].append(value if isinstance(value, str) else _ENCODER.encode(value).decode())
    return columns, problems


def _as_lines(batch: Batch, on_error: OnError) -> tuple[Batch, list[Quarantined]]:
    """The documents with JSON lines for records, and the rows that JSON cannot hold. Raises DataError for such a row."""
    if not pa.types.is_struct(batch.record.type):
        return batch, []
    quarantined: list[Quarantined] = []
    try:
        lines = to_json_lines(batch.record)
    except ValueError:
        reasons = {row: unwritable(batch.record.slice(row, 1)) for row in range(len(batch))}
        batch, quarantined = _set_aside(batch, {row: why for row, why in reasons.items() if why}, on_error)
        lines = to_json_lines(batch.record)
    return replace(batch, record=pa.array(lines.split(b"\n")[:-1], pa.large_binary()), memo={}), quarantined


def _set_aside(batch: Batch, problems: Mapping[int, str], on_error: OnError) -> tuple[Batch, list[Quarantined]]:
    """The documents without a problem, and those with one, by row. Raises DataError for the first unless they are wanted."""
    if not problems:
        return batch, []
    if on_error == "fail":
        row = min(problems)
        raise DataError(problems[row], path=batch.shard, line=batch.line[row].as_py())
    aside = [
        Quarantined(line=batch.line[row].as_py(), reason=problems[row], record=record_of(batch, row)) for row in sorted(problems)
    ]
    return batch.where(np.array([row not in problems for row in range(len(batch))])), aside


def record_of(batch: Batch, row: int) -> bytes:
    """The document in `row` as a JSON line without its end; of a row that JSON cannot hold, the bytes of its strings."""
    if pa.types.is_struct(batch.record.type):
        return kept_bytes(batch.record.slice(row, 1))
    return bytes(batch.record[row].as_py())


def repeated(batch: Batch, rows: Sequence[int]) -> Batch:
    """The documents in `rows`, in that order; a row may come several times."""
    chosen = pa.array(rows, pa.int64())
    return replace(
        batch,
        id=batch.id.take(chosen),
        text=batch.text.take(chosen),
        record=batch.record.take(chosen),
        line=batch.line.take(chosen),
        memo={},
    )
