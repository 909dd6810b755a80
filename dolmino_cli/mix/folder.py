"""The folder (or S3 prefix) of one mix: what it holds already, and what a killed run left in it."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix import lock as locks
from dolmino_cli.mix import provenance, windows
from dolmino_cli.mix.lock import Lock, Request
from dolmino_cli.shards import storage
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.storage import Output
from dolmino_cli.tokens import arrays

UNFINISHED = "sample.unfinished"
_SCRATCH = ".scratch"


@dataclass(frozen=True, kw_only=True)
class Found:
    """What an output folder holds of the requested mix: its lock, and whether all files that the lock names are there."""

    lock: Lock | None
    complete: bool


def lock_name(mix: str) -> str:
    """The lock's file name."""
    return f"{mix}{locks.SUFFIX}"


def look(output: Output, request: Request) -> Found:
    """What is there. Raises ConfigError when it is another mix's, the same mix of other inputs, or no mix at all."""
    sizes = {shard.name: shard.bytes for shard in storage.walk(output.root)} if _is_there(output) else {}
    wanted = lock_name(request.manifest.name)
    others = sorted(name for name in sizes if name.endswith(locks.SUFFIX) and "/" not in name and name != wanted)
    if others:
        raise ConfigError(f"{output.root} holds another mix ({others[0]}); give an output of its own to each")
    data = output.read(wanted)
    if data is None:
        foreign = sorted(name for name in sizes if name == arrays.NAME or name.startswith("part-"))
        if foreign and UNFINISHED not in sizes:
            raise ConfigError(f"{output.root} holds files that are no mix's ({foreign[0]}); give an empty or a new output")
        return Found(lock=None, complete=False)
    lock = locks.parse(data, output.path(wanted))
    changed = list(locks.differences(locks.request_of(lock), request))
    if changed:
        raise ConfigError(
            f"{output.root} holds this mix made from something else: {'; '.join(changed)}; give another output, or delete it"
        )
    complete = UNFINISHED not in sizes and arrays.NAME in sizes and lock.outputs is not None
    for part in lock.outputs or []:
        complete = complete and sizes.get(part.name) == part.bytes and all(name in sizes for name in part.file_names)
    return Found(lock=lock, complete=complete)


def begin(output: Output) -> None:
    """Mark the folder as being written and remove what an earlier run left: parts, whole or not, and arrays.json."""
    output.put(UNFINISHED, b"dolmino sample is writing here, or was stopped; run it again\n")
    output.delete(arrays.NAME)
    for suffix in (".npy", ".csv.gz", provenance.SUFFIX, windows.REPEATED_SUFFIX):
        for name in storage.list_names(output.root, suffix):
            if name.startswith("part-"):
                output.delete(name)
    if not output.is_s3:
        for partial in Path(output.root).glob(".part-*.partial"):
            partial.unlink(missing_ok=True)


def end(output: Output) -> None:
    """Say that the folder is whole; the last thing a run does."""
    output.delete(UNFINISHED)


def check_scratch(scratch: str | None) -> None:
    """Raise ConfigError for a scratch folder that is on no local disk."""
    if scratch is not None and storage.is_remote(scratch):
        raise ConfigError(f"--scratch {scratch}: it must be on the local disk; give a local path")


def fresh_scratch(output: Output, scratch: str | None) -> Path:
    """An empty local folder for the shuffle: under `scratch`, else inside a local output, else in the temporary folder.

    Its name depends on the output only, so that a rerun removes what a killed run left. It needs as much room as the mix.
    """
    if scratch is None and not output.is_s3:
        folder = Path(output.root) / _SCRATCH
    else:
        parent = Path(scratch) if scratch is not None else Path(tempfile.gettempdir()) / f"dolmino-{os.getuid()}"
        folder = parent / f"dolmino-sample-{hashlib.sha256(storage.absolute(output.root).encode()).hexdigest()[:16]}"
    with storage_errors("make the scratch folder", str(folder)):
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    return folder


def _is_there(output: Output) -> bool:
    return output.is_s3 or Path(output.root).is_dir()
