"""What there is to verify of a lock: which of its files, where, and what can be said without looking at any."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.mix import manifest as manifests
from dolmino_cli.mix.find_lock import find_lock
from dolmino_cli.mix.folder import UNFINISHED, lock_name
from dolmino_cli.mix.lock import Lock, parse
from dolmino_cli.mix.locked_files import LockedFile, input_roots, locked_inputs, locked_outputs
from dolmino_cli.mix.verify import Problem
from dolmino_cli.shards import storage
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.tokens.arrays import NAME


@dataclass(frozen=True, kw_only=True)
class Target:
    """A lock and its files. `problems` are the manifest's and of the mix's own lock; `remarks` what is left out, and why."""

    lock_path: str
    lock: Lock
    files: tuple[LockedFile, ...]
    problems: tuple[Problem, ...]
    remarks: tuple[str, ...]


def find_target(
    lock_or_folder: str,
    *,
    arrays_root: str | None = None,
    mix: str | None = None,
    manifest: Path | None = None,
    inputs: bool = True,
    outputs: bool = True,
) -> Target:
    """The files of a lock, or of the lock in a mix's folder: `inputs`, `outputs` or both.

    `mix` is the folder of the outputs (default: the lock's own, where some of them are). `manifest` is compared with the lock's.
    Raises ConfigError when there is no lock, or when only outputs, or those in `mix`, are asked for and the lock has none.
    """
    path, lock = find_lock(lock_or_folder)
    files: list[LockedFile] = []
    problems: list[Problem] = []
    remarks: list[str] = []
    if inputs:
        roots = input_roots(lock, arrays_root)
        files += locked_inputs(lock, roots)
        if arrays_root is not None:
            elsewhere = [f"{name} at {root}" for name, root in roots.items() if root != storage.join(arrays_root, name)]
            remarks += [f"not under {arrays_root}, looked at where the lock found them: {', '.join(elsewhere)}"] * bool(elsewhere)
    if outputs and lock.outputs is None:
        if mix is not None or not inputs:
            here = f", or verify {mix} by the lock in it" if mix is not None else ""
            raise ConfigError(
                f"{path} has no outputs yet; make them with `dolmino sample {path}`{here}, or verify its inputs (--inputs-only)"
            )
        remarks.append("the lock has no outputs yet; only the inputs are looked at")
    elif outputs:
        beside = path.rpartition("/")[0] or "."
        folder = mix or (beside if path != lock_or_folder or not inputs or _holds_a_mix(beside, lock) else None)
        if folder is None:
            remarks.append("no mix beside the lock; only the inputs are looked at (--mix says where the outputs are)")
        else:
            files += locked_outputs(lock, folder)
            problems += _own_lock(path, lock, folder)
    if manifest is not None:
        problems += manifest_problems(lock, manifest)
        if not problems and hashlib.sha256(_read(manifest)).hexdigest() != lock.manifest_sha256:
            remarks.append(f"{manifest} says what the lock says, in other bytes (comments, layout)")
    return Target(lock_path=path, lock=lock, files=tuple(files), problems=tuple(problems), remarks=tuple(remarks))


def manifest_problems(lock: Lock, path: Path) -> Iterator[Problem]:
    """Every entry in which a manifest differs from the one that the lock was made from; comments and layout may.

    Raises ConfigError for a file that is no manifest.
    """
    now = manifests.load(path)
    locked, found = _entries(dataclasses.asdict(lock.manifest)), _entries(dataclasses.asdict(now))
    for key in dict.fromkeys([*locked, *found]):
        if locked.get(key) != found.get(key):
            what = f"{key} is {found.get(key, 'not there')}; the lock says {locked.get(key, 'not there')}"
            yield Problem(of="manifest", path=str(path), what=what)
    if list(now.sources) != list(lock.manifest.sources) and now.sources.keys() == lock.manifest.sources.keys():
        yield Problem(of="manifest", path=str(path), what="sources stand in another order than in the lock")


def _entries(tree: Mapping[str, Any], above: str = "") -> dict[str, object]:
    """Every entry by its dotted key: `sources.web.source_percent`."""
    entries: dict[str, object] = {}
    for key, value in tree.items():
        entries |= _entries(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return entries


def _holds_a_mix(folder: str, lock: Lock) -> bool:
    """Is any of it there? What else is missing is for verify to say. Few are asked for: on S3 each is a request."""
    parts = lock.outputs or []
    names = [NAME, UNFINISHED, *(name for part in (*parts[:1], *parts[-1:]) for name in part.file_names)]
    return any(storage.exists(storage.join(folder, name)) for name in names)


def _own_lock(path: str, lock: Lock, folder: str) -> Iterator[Problem]:
    """The lock that lies in the mix's folder, where it is not the one given; it may name other places of the same inputs."""
    own = storage.join(folder, lock_name(lock.manifest.name))
    if own == path:
        return
    if not storage.exists(own):
        yield Problem(of="output", path=own, what="missing; a finished mix has its lock beside it")
        return
    try:
        found = parse(storage.read_bytes(own), own)
    except DataError as error:
        yield Problem(of="output", path=own, what=error.problem)
        return
    if _without_places(found) != _without_places(lock):
        yield Problem(of="output", path=own, what=f"is not the lock {path}; `dolmino mix diff` shows how")


def _without_places(lock: Lock) -> Lock:
    """What is the same in two locks of the same bytes: not where inputs lay, nor the manifest's comments."""
    sources = {name: dataclasses.replace(source, arrays="", arrays_json_sha256="") for name, source in lock.sources.items()}
    return dataclasses.replace(lock, sources=sources, manifest_sha256="", arrays_json_sha256="")


def _read(path: Path) -> bytes:
    with storage_errors("read", str(path)):
        return path.read_bytes()
