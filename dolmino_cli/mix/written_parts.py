"""The ledger of a mix while it is being written: an entry per part that has appeared. The lock replaces it in the end."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from dolmino_cli.mix.lock import MixPart
from dolmino_cli.shards import ledger, storage
from dolmino_cli.shards.ledger import LedgerEntry, OutputFile
from dolmino_cli.shards.storage import Output

_COUNTS = ("tokens", "documents", "windows", "repeated_windows")
_FOLDER = "ledger"


@dataclass(frozen=True, kw_only=True)
class WrittenPart:
    """A part that has appeared; `repeated_ids` counts, per source, documents whose id the one before them has."""

    part: MixPart
    repeated_ids: np.ndarray


def save(output: Output, request_sha256: str, written: WrittenPart, outputs: dict[str, OutputFile]) -> None:
    """Put down that the part's files are there. `request_sha256`: hash of what decides the mix's bytes."""
    part = written.part
    entry = LedgerEntry(
        name=_entry_name(part.name),
        recipe={"sample": request_sha256},
        input={},
        counts={
            **{name: getattr(part, name) for name in _COUNTS},
            "repeated_ids": written.repeated_ids.tolist(),
            "part": dataclasses.asdict(part),
        },
        bytes={"written": sum(file.bytes for file in outputs.values())},
        outputs=outputs,
    )
    ledger.save(output, entry)


def load(output: Output, request_sha256: str, name: str) -> WrittenPart | None:
    """The part whose array is called `name`, if it was written for this request; None otherwise."""
    entry = ledger.load(output, _entry_name(name))
    if entry is None or entry.recipe != {"sample": request_sha256}:
        return None
    return WrittenPart(part=MixPart(**entry.counts["part"]), repeated_ids=np.array(entry.counts["repeated_ids"], np.int64))


def forget(output: Output, name: str) -> None:
    """Remove the entry of the part whose array is called `name`."""
    output.delete(f"{_FOLDER}/{_entry_name(name)}.json")


def forget_all(output: Output) -> None:
    """Remove all entries."""
    for name in storage.list_names(output.path(_FOLDER), ".json"):
        output.delete(f"{_FOLDER}/{name}")
    folder = output.local_path(_FOLDER)
    if folder is not None:
        with suppress(OSError):  # it is not there, or there are entries in it that another process wrote
            folder.rmdir()


def _entry_name(part: str) -> str:
    # Not that of the part: whatever is called part-... in a mix's folder is taken for its data.
    return PurePosixPath(part).stem.removeprefix("part-")
