"""The answers about a shard -> its documents, attributes and ledger entry, in the order of the input."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa

from dolmino_cli.pipeline.names import attributes_name, documents_name
from dolmino_cli.pipeline.quarantine import Quarantine
from dolmino_cli.pipeline.sidecar import Sidecar
from dolmino_cli.shards.conversion import rewritten
from dolmino_cli.shards.ledger import LedgerEntry, OutputFile, input_identity, save
from dolmino_cli.shards.reading import Quarantined
from dolmino_cli.shards.shard import Shard
from dolmino_cli.shards.storage import Output
from dolmino_cli.shards.writing import DocumentWriter
from dolmino_cli.sources.rewriting.journal import Journal
from dolmino_cli.sources.rewriting.outcome import Outcome
from dolmino_cli.sources.rewriting.requests import Asked, Wanted, read_asked, record_of, repeated
from dolmino_cli.sources.rewriting.verdict import REASONS, verdict

ATTRIBUTES_SCHEMA = pa.schema(
    [
        ("id", pa.large_string()),
        ("line", pa.int64()),
        ("copy", pa.int32()),
        ("finish", pa.string()),
        ("prompt_tokens", pa.int64()),
        ("completion_tokens", pa.int64()),
        ("kept", pa.bool_()),
        ("reason", pa.string()),
    ]
)
"""A row per request that was not set aside; tokens as the server states them, null where it states none."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One request with its outcome, its document's row, the new document's id, and what the verdict was."""

    row: int
    id: str
    outcome: Outcome
    text: str
    reason: str


def write_shard(shard: Shard, wanted: Wanted, journal: Journal, output: Output) -> LedgerEntry:
    """Write `documents/`, `attributes/`, `quarantine/` of `shard` and its ledger entry, which says that all is there.

    The files depend on the answers alone: not on their order of arrival, nor on how often the run was begun again.
    in = kept + dropped + quarantined is asserted; `in` counts requests, and records that none could be made of.
    """
    names = {kind: f"{kind}/{name(shard.name)}" for kind, name in (("documents", _documents), ("attributes", attributes_name))}
    dropped = Counter(dict.fromkeys(REASONS, 0))
    counts = Counter(dict.fromkeys(("in", "quarantined", "records"), 0))
    with ExitStack() as unfinished:
        pending = {kind: unfinished.enter_context(output.create(name)) for kind, name in names.items()}
        quarantine = unfinished.enter_context(Quarantine(shard, output))
        documents = DocumentWriter(pending["documents"], names["documents"], zstd_level=3)
        attributes = Sidecar(pending["attributes"], ATTRIBUTES_SCHEMA)
        for asked in read_asked(shard, wanted):
            answered, set_aside = _answered(asked, journal)
            quarantine.add([*asked.quarantined, *set_aside])
            attributes.write(_attributes(asked, answered))
            documents.write(_documents_of(asked, [one for one in answered if not one.reason]).record)
            dropped.update(one.reason for one in answered if one.reason)
            counts["in"] += len(asked.quarantined) + len(asked)
            counts["quarantined"] += len(asked.quarantined) + len(set_aside)
            counts["records"] += len(asked.batch) + len(asked.quarantined)
        documents.finish()
        attributes.finish()
        for file in pending.values():
            file.publish()
        outputs = {names[kind]: OutputFile(bytes=file.bytes, sha256=file.sha256) for kind, file in pending.items()}
        outputs |= quarantine.publish()
    entry = LedgerEntry(
        name=shard.name,
        recipe=wanted.recorded(),
        input=input_identity(shard),
        counts={**counts, "kept": documents.documents, "dropped": dict(dropped), "asked": journal.account.recorded()},
        bytes={"documents": documents.plain_bytes, "written": sum(file.bytes for file in outputs.values())},
        outputs=outputs,
    )
    save(output, entry)
    return entry


def _documents(shard_name: str) -> str:
    return documents_name(shard_name, "zst")


def _answered(asked: Asked, journal: Journal) -> tuple[list[Answered], list[Quarantined]]:
    """What became of every request about a batch, and those that the endpoint could make nothing of."""
    answered, set_aside = [], []
    ids = asked.batch.id.to_pylist()
    for outcome in journal.outcomes(range(asked.first, asked.first + len(asked))):
        row = (outcome.number - asked.first) // asked.wanted.copies
        if outcome.kind == "bad_request":
            set_aside.append(Quarantined(line=outcome.line, reason=outcome.why, record=record_of(asked.batch, row)))
            continue
        text, reason = verdict(outcome, asked.wanted.template.accept)
        new_id = new_document_id(ids[row], asked.wanted, outcome.copy)
        answered.append(Answered(row=row, id=new_id, outcome=outcome, text=text, reason=reason))
    return answered, set_aside


def new_document_id(id: str, wanted: Wanted, copy: int) -> str:
    """`<id>/<template>`, with `/<copy>` where several are asked for; a document that is only labelled keeps its id."""
    if wanted.template.into is not None:
        return id
    return f"{id}/{wanted.template.name}" + (f"/{copy}" if wanted.copies > 1 else "")


def _attributes(asked: Asked, answered: list[Answered]) -> pa.RecordBatch:
    rows = [
        {
            "id": one.id,
            "line": one.outcome.line,
            "copy": one.outcome.copy,
            "finish": one.outcome.finish,
            "prompt_tokens": one.outcome.prompt_tokens,
            "completion_tokens": one.outcome.completion_tokens,
            "kept": not one.reason,
            "reason": one.reason or None,
        }
        for one in answered
    ]
    return pa.RecordBatch.from_pylist(rows, schema=ATTRIBUTES_SCHEMA)


def _documents_of(asked: Asked, kept: list[Answered]) -> Any:
    """The new documents: the old ones' further fields, and in `metadata.rewrites` what was done, after what was done before."""
    template, batch = asked.wanted.template, asked.batch
    texts, metadata = [], []
    old_ids, old_texts = batch.id.to_pylist(), batch.text.to_pylist()
    prompts = dict(_prompt_hashes(asked, {one.row for one in kept}))
    for one in kept:
        done = {"source_id": old_ids[one.row], **_provenance(asked.wanted, one.outcome, old_ids[one.row], prompts[one.row])}
        more: dict[str, Any] = {"rewrites": [*_done_before(record_of(batch, one.row)), done]}
        if template.into is None:
            texts.append(template.document_pattern.fill({**asked.values(one.row), "answer": one.text}))
        else:
            texts.append(old_texts[one.row])
            more[template.into.removeprefix("metadata.")] = one.text
        metadata.append(more)
    ids = pa.array([one.id for one in kept], pa.large_string())
    return rewritten(repeated(batch, [one.row for one in kept]), ids, pa.array(texts, pa.large_string()), metadata)


class _Record(msgspec.Struct):
    metadata: msgspec.Raw = msgspec.Raw(b"null")


class _Metadata(msgspec.Struct):
    rewrites: list[msgspec.Raw]


_RECORD, _METADATA = msgspec.json.Decoder(_Record), msgspec.json.Decoder(_Metadata)


def _done_before(record: bytes) -> list[msgspec.Raw]:
    """`metadata.rewrites` of a record, in its bytes; nothing where there is no such list. Text is read as JSON, if it is any."""
    metadata = bytes(_RECORD.decode(record).metadata)
    try:
        if metadata[:1] == b'"':
            metadata = msgspec.json.decode(metadata, type=str).encode()
        return _METADATA.decode(metadata).rewrites
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return []


def _prompt_hashes(asked: Asked, rows: set[int]) -> Iterator[tuple[int, str]]:
    for row in rows:
        prompt = "\n".join(message["content"] for message in asked.messages(row))
        yield row, hashlib.sha256(prompt.encode()).hexdigest()


def _provenance(wanted: Wanted, outcome: Outcome, id: str, prompt_sha256: str) -> dict[str, Any]:
    template = wanted.template
    sampling = template.resolved()["sampling"]
    return {
        "template": template.name,
        "template_sha256": template.sha256,
        "prompt_sha256": prompt_sha256,
        "request_sha256": outcome.request,
        "model": template.model,
        "served_model": outcome.model,
        "sampling": {**sampling, "seed": template.seed_of(id, outcome.copy)},
        "copy": outcome.copy,
        "prompt_tokens": outcome.prompt_tokens,
        "completion_tokens": outcome.completion_tokens,
    }
