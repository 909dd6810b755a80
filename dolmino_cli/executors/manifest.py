"""What a run that has begun says of itself, in its output: which phase, how many tasks, since when. Gone when the run is done."""

from __future__ import annotations

import json
import shutil
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import msgspec

from dolmino_cli import __version__
from dolmino_cli.errors import DataError
from dolmino_cli.shards.output import Output
from dolmino_cli.shards.storage import list_names

FOLDER = ".jobs"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Of one phase. `tasks` are all of it, with the `done_before` that were done when it began; None where that is not known.

    `folder` is where finished tasks are recorded (`NAME.json`), for runs of several processes; otherwise the process that
    directs the run says how many are `done`, and when it last did (`updated`). Times are UTC, ISO 8601.
    """

    phase: str
    tasks: int | None
    done_before: int
    executor: str
    host: str
    started: str
    folder: str = ""
    done: int = 0
    failed: int = 0
    updated: str = ""
    version: str = __version__


def now() -> str:
    """UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def begun(phase: str, *, tasks: int | None, done: int, executor: str, folder: str = "") -> Manifest:
    """The manifest of a phase that begins now: `tasks` are left to do, `done` are done already."""
    return Manifest(
        phase=phase,
        tasks=None if tasks is None else tasks + done,
        done_before=done,
        executor=executor,
        host=socket.gethostname(),
        started=now(),
        folder=folder,
        done=done,
        updated=now(),
    )


def save(output: Output, manifest: Manifest) -> None:
    """Write it, replacing the one before."""
    output.put(_file(manifest.phase), json.dumps(asdict(manifest), indent=1).encode() + b"\n")


def save_new(output: Output, manifest: Manifest) -> None:
    """Write it unless another process of the run did."""
    output.put_new(_file(manifest.phase), json.dumps(asdict(manifest), indent=1).encode() + b"\n")


def exists(output: Output, phase: str) -> bool:
    """Has the phase begun, and the run not ended?"""
    return output.exists(_file(phase))


def load_all(output: Output) -> list[Manifest]:
    """Of the phases that have begun, in that order; none for a run that is done. Raises DataError for a damaged one."""
    names = [name for name in list_names(output.path(FOLDER), ".json") if "/" not in name]
    found = [(name, output.read(f"{FOLDER}/{name}")) for name in names]
    manifests = [_parse(data, output.path(f"{FOLDER}/{name}")) for name, data in found if data is not None]
    return sorted(manifests, key=lambda manifest: manifest.started)


def remove(output: Output, phase: str) -> None:
    """Remove one phase's: it is done."""
    output.delete(_file(phase))
    folder = output.local_path(FOLDER)
    if folder is not None:
        with suppress(OSError):  # other phases' are in it
            folder.rmdir()


def remove_all(output: Output) -> None:
    """Remove every phase's: the run is done."""
    for name in list_names(output.path(FOLDER), ""):
        output.delete(f"{FOLDER}/{name}")
    folder = output.local_path(FOLDER)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _file(phase: str) -> str:
    return f"{FOLDER}/{phase}.json"


def _parse(data: bytes, path: str) -> Manifest:
    try:
        return msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise DataError(f"damaged ({error}); delete it", path=path) from None
