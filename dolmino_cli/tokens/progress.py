"""How far a group is, recorded whenever one of its files is whole: a killed run encodes at most one file's tokens again.

`parts/<group>.json` names the files that are whole and where the next one begins; it goes when the group is finished.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from dolmino_cli.shards import ledger, storage
from dolmino_cli.shards.ledger import LedgerEntry, OutputFile
from dolmino_cli.shards.storage import Output
from dolmino_cli.tokens import encode
from dolmino_cli.tokens.arrays import ArrayFile
from dolmino_cli.tokens.encode import Position, Tally

_FOLDER = "parts"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Files that are whole, and what the next one begins with: row `row` of the batch at `position`."""

    files: Sequence[ArrayFile] = ()
    position: Position = field(default_factory=Position)
    row: int = 0


def load(output: Output, name: str, recipe: Mapping[str, Any], input: Mapping[str, Any]) -> Progress:
    """How far group `name` is: nowhere where it was begun with another recipe, input or batch size, or a file is another."""
    entry = ledger.load(output, name, folder=_FOLDER)
    if entry is None or ledger.difference(entry, recipe=recipe, input=input):
        return Progress()
    for file, written in entry.outputs.items():
        found = storage.stat(output.path(file))
        if found is None or found.bytes != written.bytes:
            return Progress()
    counts = entry.counts
    if counts.get("batch_bytes") != encode.BATCH_BYTES:  # by another version: its batches are cut elsewhere
        return Progress()
    quarantine = {name: OutputFile(**file) for name, file in counts["tally"].pop("quarantine_files").items()}
    return Progress(
        files=[ArrayFile(**file) for file in counts["files"]],
        position=Position(
            place=counts["place"], batch=counts["batch"], tally=Tally(**counts["tally"], quarantine_files=quarantine)
        ),
        row=counts["row"],
    )


def save(output: Output, name: str, recipe: Mapping[str, Any], input: Mapping[str, Any], progress: Progress) -> None:
    """Record how far group `name` is."""
    position = progress.position
    entry = LedgerEntry(
        name=name,
        recipe=dict(recipe),
        input=dict(input),
        counts={
            "files": [asdict(file) for file in progress.files],
            "place": position.place,
            "batch_bytes": encode.BATCH_BYTES,
            "batch": position.batch,
            "row": progress.row,
            "tally": asdict(position.tally),
        },
        bytes={},
        outputs={file.name: OutputFile(bytes=file.bytes, sha256=file.sha256) for file in progress.files},
    )
    ledger.save(output, entry, folder=_FOLDER)


def tidy(output: Output, recipe: Mapping[str, Any], left: Mapping[str, Mapping[str, Any]], finished: Container[str]) -> None:
    """Remove what earlier runs recorded and nobody will go on from; `left` has the input of each group that is to be done.

    Files of a group that was begun with another recipe or input go too: no group of this run may write them anew.
    """
    for file in storage.list_names(output.path(_FOLDER), ".json"):
        name = file.removesuffix(".json")
        entry = None if name in finished else ledger.load(output, name, folder=_FOLDER)
        if entry is not None and name in left and not ledger.difference(entry, recipe=recipe, input=left[name]):
            continue
        if entry is not None:
            files = f"part-{name.removeprefix('group-')}-"  # the last may be whole and not be recorded
            for written in storage.list_names(output.root, ""):
                if written.startswith(files):
                    output.delete(written)
        forget(output, name)


def forget(output: Output, name: str) -> None:
    """Remove the record of a group that is finished."""
    output.delete(f"{_FOLDER}/{name}.json")
    folder = output.local_path(_FOLDER)
    if folder is not None:
        with suppress(OSError):  # other groups are begun, or this one had no record
            folder.rmdir()
