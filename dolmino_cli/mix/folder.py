"""The folder (or S3 prefix) of one mix: what it holds already, and what a killed run left in it."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.executors.leases import Leases
from dolmino_cli.mix import lock as locks
from dolmino_cli.mix import provenance, windows, written_parts
from dolmino_cli.mix.lock import Lock, MixPart, Request
from dolmino_cli.shards import storage
from dolmino_cli.shards.storage import Output
from dolmino_cli.tokens import arrays

UNFINISHED = "sample.unfinished"
_POLL_SECONDS = 0.2


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


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Which mix is being written: the hash of what decides its bytes, and the name of the scratch folder of its rows."""

    request_sha256: str
    scratch: str


def begin(output: Output, request: Request, mark: Mark, scratch: Path) -> bool:
    """Make ready for the mix of `mark`, by one of all processes that write it; False where it was finished meanwhile.

    What a killed run of the same mix wrote stays, to go on from; so do rows of another memory budget in `scratch`, which another
    process of this run may be using. What there is of another mix is removed: parts, whole or not, arrays.json, all of `scratch`.
    """
    leases = Leases(output)
    while _marked(output) != mark:
        lease = leases.take("begin")
        if lease is None:
            time.sleep(_POLL_SECONDS)
            continue
        with lease:
            marked = _marked(output)
            if marked == mark:  # since it was looked at: what there is now is of a process at work
                break
            if look(output, request).complete:
                return False
            if marked is None or marked.request_sha256 != mark.request_sha256:
                _clear(output)
                shutil.rmtree(scratch, ignore_errors=True)
            note = "dolmino sample is writing here, or was stopped; run it again"
            output.put(UNFINISHED, json.dumps({"note": note, **dataclasses.asdict(mark)}, indent=1).encode() + b"\n")
    return True


def check_parts(output: Output, parts: Sequence[MixPart]) -> None:
    """Remove parts that are none of these, of a run that was killed. Raises StorageError where a file of these is not there."""
    sizes = {shard.name: shard.bytes for shard in storage.walk(output.root)}
    for name in sizes.keys() - {name for part in parts for name in part.file_names}:
        if name.startswith("part-"):
            output.delete(name)
    lost = [part.name for part in parts if sizes.get(part.name) != part.bytes or not sizes.keys() >= set(part.file_names)]
    for name in lost:
        written_parts.forget(output, name)
    if lost:
        raise StorageError(f"{len(lost):,} parts were removed from {output.root} meanwhile (such as {lost[0]}); run again")


def end(output: Output) -> None:
    """Say that the folder is whole."""
    output.delete(UNFINISHED)


def tidy(output: Output, scratch: Path) -> None:
    """Remove what a run that is finished needs no more: its scratch, and what says which parts are written."""
    shutil.rmtree(scratch, ignore_errors=True)
    written_parts.forget_all(output)


def _marked(output: Output) -> Mark | None:
    """What the mark says; None where there is none, or one of another dolmino."""
    try:
        content = json.loads(output.read(UNFINISHED) or b"")
        return Mark(request_sha256=content["request_sha256"], scratch=content["scratch"])
    except (ValueError, KeyError, TypeError):
        return None


def _clear(output: Output) -> None:
    output.delete(arrays.NAME)
    written_parts.forget_all(output)
    for suffix in (".npy", ".csv.gz", provenance.SUFFIX, windows.REPEATED_SUFFIX):
        for name in storage.list_names(output.root, suffix):
            if name.startswith("part-"):
                output.delete(name)


def _is_there(output: Output) -> bool:
    return output.is_s3 or Path(output.root).is_dir()
