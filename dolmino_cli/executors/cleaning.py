"""What runs leave behind that nobody needs any more, and what of it may go: `dolmino clean`.

Results are never looked at: documents, attributes, rejects, quarantine, arrays, ledger, run.json and failures stay as they are.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dolmino_cli.executors.leases import EXPIRY_SECONDS, parsed
from dolmino_cli.executors.leases import FOLDER as LEASES
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.leftovers import leftovers
from dolmino_cli.shards.listed import Listed, listed, listed_locally
from dolmino_cli.shards.output import Output
from dolmino_cli.shards.owner import is_gone
from dolmino_cli.shards.s3_uploads import abort, unfinished_uploads
from dolmino_cli.shards.storage import list_names

_PARTS, _LEDGER, _JOBS, _SCRATCH = "parts", "ledger", ".jobs", ".scratch"
_SCRATCH_FOLDER = re.compile(r"dolmino-(choose|classifier)-\w+\Z|dolmino-([a-z]+-)?[0-9a-f]{16}\Z")


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Something that a run left. `kept` says why it stays; None: it may go, by `remove`."""

    what: str
    where: str
    bytes: int
    age_seconds: float
    kept: str | None
    remove: Callable[[], object]


def find(output: Output, *, older_than_seconds: float) -> Iterator[Leftover]:
    """The leftovers of runs that wrote to `output`, and this machine's own in the temporary folder.

    What another machine left may be in use still, as far as can be seen here: it goes when it is older than
    `older_than_seconds`. Raises StorageError.
    """
    held = False
    for lease in _leases(output):
        held = held or lease.kept is not None
        yield lease
    if output.is_s3:
        yield from _uploads(output, older_than_seconds)
    else:
        yield from _unfinished(Path(output.root), older_than_seconds)
    yield from _parts(output)
    yield from _manifests(output, held, older_than_seconds)
    if not output.is_s3:
        yield from _folder(Path(output.root, _SCRATCH), "in use" if held else None, older_than_seconds)
    yield from _temporary(older_than_seconds)


def _leases(output: Output) -> Iterator[Leftover]:
    for found in listed(output, LEASES):
        name = f"{LEASES}/{found.name}"
        if found.name.endswith(".partial"):
            continue
        mark = output.read(name)
        if mark is None:
            continue
        gone = is_gone(str(parsed(mark).get("owner")))
        expired = found.age_seconds > EXPIRY_SECONDS if gone is None else gone
        holder = "by a process of another machine" if gone is None else "by a process that is running"
        yield Leftover(
            what="lease",
            where=output.path(name),
            bytes=found.bytes,
            age_seconds=found.age_seconds,
            kept=None if expired else f"held {holder}",
            remove=partial(output.remove_if, name, mark),
        )


def _unfinished(root: Path, older_than_seconds: float) -> Iterator[Leftover]:
    ages = {found.name: found.age_seconds for found in listed_locally(root) if found.name.endswith(".partial")}
    for leftover in leftovers(root):
        age_seconds = ages.get(leftover.path.relative_to(root).as_posix(), 0.0)
        kept = "being written" if leftover.gone is False else None
        if leftover.gone is None and age_seconds <= older_than_seconds:
            kept = "of another machine, and not old enough"
        yield Leftover(
            what="unfinished file",
            where=str(leftover.path),
            bytes=leftover.bytes,
            age_seconds=age_seconds,
            kept=kept,
            remove=partial(_unlink, leftover.path),
        )


def _uploads(output: Output, older_than_seconds: float) -> Iterator[Leftover]:
    for upload in unfinished_uploads(output.root):
        yield Leftover(
            what="unfinished upload",
            where=upload.uri,
            bytes=upload.bytes,
            age_seconds=upload.age_seconds,
            kept=None if upload.age_seconds > older_than_seconds else "may be running: not old enough",
            remove=partial(abort, upload),
        )


def _parts(output: Output) -> Iterator[Leftover]:
    """Parts of large shards: needed until their shard's ledger entry is there."""
    found = [one for one in listed(output, _PARTS) if not one.name.endswith(".partial")]
    if not found:
        return
    done = {name.removesuffix(".json") for name in list_names(output.path(_LEDGER), ".json")}
    by_shard: defaultdict[tuple[str, bool], list[Listed]] = defaultdict(list)
    for one in found:
        above = one.name.split("/")
        shard = next((name for end in range(len(above)) if (name := "/".join(above[: end + 1])) in done), None)
        by_shard[shard or above[0], shard is not None].append(one)
    for (shard, finished), files in by_shard.items():
        kept = None if finished else "of a shard that is not done: a rerun goes on from them"
        yield _group("parts of a shard", output, f"{_PARTS}/{shard}", [f"{_PARTS}/{one.name}" for one in files], files, kept)


def _manifests(output: Output, held: bool, older_than_seconds: float) -> Iterator[Leftover]:
    """What phases say of themselves while a run goes on."""
    found = [one for one in listed(output, _JOBS) if not one.name.endswith(".partial")]
    if not found:
        return
    complete = _is_complete(output)
    old = min(one.age_seconds for one in found) > older_than_seconds
    kept = "in use" if held else None if complete or old else "of a run that is not done, and not old enough"
    yield _group("manifests of phases", output, _JOBS, [f"{_JOBS}/{one.name}" for one in found], found, kept)


def _is_complete(output: Output) -> bool:
    try:
        return json.loads(output.read("run.json") or b"{}").get("complete") is True
    except (ValueError, AttributeError):
        return False


def _group(what: str, output: Output, folder: str, names: list[str], files: list[Listed], kept: str | None) -> Leftover:
    def remove() -> None:
        for name in names:
            output.delete(name)
        local = output.local_path(folder)
        if local is not None and local.is_dir():
            _remove_empty(local)

    return Leftover(
        what=f"{what} ({len(files):,} file{'s' if len(files) > 1 else ''})",
        where=output.path(folder),
        bytes=sum(one.bytes for one in files),
        age_seconds=min(one.age_seconds for one in files),
        kept=kept,
        remove=remove,
    )


def _remove_empty(folder: Path) -> None:
    for path, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):  # not empty
            Path(path).rmdir()


def _temporary(older_than_seconds: float) -> Iterator[Leftover]:
    """What processes of this machine left in the temporary folder, whatever output it was for."""
    temporary = Path(tempfile.gettempdir())
    own = temporary / f"dolmino-{os.getuid()}"
    yield from _unfinished(own, older_than_seconds)
    for parent in (temporary, own):
        if parent.is_dir():
            for folder in sorted(parent.iterdir()):
                if folder.is_dir() and _SCRATCH_FOLDER.match(folder.name) and folder.stat().st_uid == os.getuid():
                    yield from _folder(folder, None, older_than_seconds)


def _folder(folder: Path, kept: str | None, older_than_seconds: float) -> Iterator[Leftover]:
    if not folder.is_dir():
        return
    files = list(listed_locally(folder))
    try:
        # Without files, the folder's own: it may have been made this moment.
        age_seconds = min((one.age_seconds for one in files), default=max(0.0, time.time() - folder.stat().st_mtime))
    except FileNotFoundError:  # removed since, by who made it
        return
    if kept is None and age_seconds <= older_than_seconds:
        kept = "may be in use: not old enough"
    yield Leftover(
        what="scratch folder",
        where=str(folder),
        bytes=sum(one.bytes for one in files),
        age_seconds=age_seconds,
        kept=kept,
        remove=partial(_remove_tree, folder),
    )


def _unlink(path: Path) -> None:
    with storage_errors("delete", str(path)):
        path.unlink(missing_ok=True)


def _remove_tree(folder: Path) -> None:
    with storage_errors("delete", str(folder)):
        shutil.rmtree(folder)
