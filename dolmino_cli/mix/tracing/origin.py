"""Where a document of a mix came from, from the folder that it was tokenized from: its record, its scores, its input line.

mix ──src, loc──▶ documents/SHARD, that line ──same row of those kept──▶ attributes/SHARD.parquet: scores, line
                                                                  └─▶ ledger/SHARD.json: which input shard
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.mix.tracing.places import TakenDocument
from dolmino_cli.pipeline.names import attributes_name, stem
from dolmino_cli.shards import ledger, storage
from dolmino_cli.shards.formats import FORMATS
from dolmino_cli.shards.one_record import read_record, read_row
from dolmino_cli.shards.storage import Output

_RUN = "run.json"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What is known of a document besides its tokens. What could not be found is None, or empty."""

    shard: str
    """The shard that was tokenized."""
    record: str | None = None
    """The document's line in it (a row of Parquet as JSON)."""
    scores: dict[str, Any] = field(default_factory=dict)
    """Every column of its row in the run's attributes but id, line, kept and reason."""
    input: str | None = None
    """The shard that the run read it from, as its ledger names it."""
    input_line: int | None = None
    input_id: str | None = None
    """The id that it had there; another one where the run wrote it anew."""


class _Id(msgspec.Struct):
    id: str


def find_origin(document: TakenDocument, roots: Sequence[str]) -> Origin:
    """The origin of a document; `roots` are `SOURCE=DIR`, or `DIR` for all sources (dclm's in DIR/dclm, or in DIR itself).

    DIR is what a dolmino run wrote (it holds run.json) or a folder of shards. Raises ConfigError when no root has the shard,
    DataError when what is there is another document: the folder is not the one that was tokenized.
    """
    root, is_run = _root_of(document, roots)
    shard = storage.join(root, "documents", document.src) if is_run else storage.join(root, document.src)
    record = read_record(shard, document.loc).decode("utf-8", "replace") if storage.exists(shard) else None
    if record is not None and _id_of(record) != document.id:
        problem = f"is document {_id_of(record)!r}, the mix has {document.id!r} of that line; give the folder that was tokenized"
        raise DataError(problem, path=shard, line=document.loc)
    if not is_run:
        return Origin(shard=shard, record=record)
    attributes = storage.join(root, "attributes", attributes_name(document.src))
    if not storage.exists(attributes):
        if record is None:
            raise ConfigError(f"--documents: {root} has no results for {document.src}; give the folder that was tokenized")
        return Origin(shard=shard, record=record)
    row = read_row(attributes, document.loc, where="kept").to_pylist()[0]
    if record is None and row["id"] != document.id:
        problem = (
            f"kept document {document.loc:,} is {row['id']!r}, the mix has {document.id!r}; give the folder that was tokenized"
        )
        raise DataError(problem, path=attributes)
    return Origin(
        shard=shard,
        record=record,
        scores={name: value for name, value in row.items() if name not in ("id", "line", "kept", "reason")},
        input=_input_of(root, document.src),
        input_line=row["line"],
        input_id=row["id"],
    )


def _root_of(document: TakenDocument, roots: Sequence[str]) -> tuple[str, bool]:
    """(the folder that has the document's shard, whether that is a dolmino run's)."""
    named = [root.partition("=")[2] for root in roots if root.partition("=")[0] == document.source]
    general = [root for root in roots if "=" not in root]
    looked = named or [place for root in general for place in (storage.join(root, document.source), root)]
    for place in looked:
        if storage.exists(storage.join(place, _RUN)):
            return place, True
        if storage.exists(storage.join(place, document.src)):
            return place, False
    told = f"neither {_RUN} nor {document.src} is in {' or '.join(looked)}" if looked else f"none is for {document.source}"
    raise ConfigError(f"--documents: {told}; give {document.source}=DIR, DIR being what `dolmino retokenize` read")


def _input_of(root: str, src: str) -> str | None:
    """The path of the input shard whose kept documents are `src`, by the run's ledger."""
    own = src.removeprefix(stem(src))
    for suffix in dict.fromkeys((own, *FORMATS)):
        entry = ledger.load(Output(root), stem(src) + suffix)
        if entry is not None and f"documents/{src}" in entry.outputs:
            return str(entry.input["path"])
    return None


def _id_of(record: str) -> str | None:
    try:
        return msgspec.json.decode(record, type=_Id).id
    except msgspec.DecodeError:
        return None
