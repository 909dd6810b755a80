"""The runs and mixes in the folders given: found by what they hold, nested or not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.mix import lock as locks
from dolmino_cli.mix.lock import Lock
from dolmino_cli.shards import storage

RUN_FILE = "run.json"


@dataclass(frozen=True, kw_only=True)
class FoundRun:
    """A run's folder. `label` says where below the folder given, so that a report does not depend on where that lies."""

    root: str
    label: str
    summary: dict[str, Any]
    """run.json as it was written."""


@dataclass(frozen=True, kw_only=True)
class FoundMix:
    """A mix's lock, and every folder that holds it."""

    roots: tuple[str, ...]
    labels: tuple[str, ...]
    lock: Lock
    lock_sha256: str


def find(folders: Sequence[str]) -> tuple[list[FoundRun], list[FoundMix]]:
    """Every run and mix in or below `folders`, by folder as given and then by name; a lock that lies in several is one mix.

    A folder may also be the lock file itself. Raises ConfigError where a folder holds neither run nor mix, DataError for
    a run.json or a lock that is damaged.
    """
    runs: dict[str, FoundRun] = {}
    mixes: dict[str, FoundMix] = {}
    for given in folders:
        names = _names(given)
        wanted = [name for name in names if _is_run(name) or name.endswith(locks.SUFFIX)]
        if not wanted:
            raise ConfigError(
                f"{given}: neither a run ({RUN_FILE}) nor a mix (NAME{locks.SUFFIX}) is there or below; give outputs of"
                " `dolmino filter`, `score`, `join`, `rewrite`, `generate` or `sample`, or a folder above them"
            )
        for name in wanted:
            path, label = names[name], _label(given, name)
            folder = path.rpartition("/")[0] or "."
            if _is_run(name):
                runs.setdefault(folder, FoundRun(root=folder, label=label, summary=_summary(path)))
            else:
                _add_mix(mixes, path, folder, label)
    return list(runs.values()), list(mixes.values())


def _names(given: str) -> dict[str, str]:
    """Path of every file by its name below `given`, sorted; a file itself is the only one."""
    stored = storage.stat(given)
    if stored is not None:
        return {stored.path.rpartition("/")[2]: stored.path if "/" in stored.path else f"./{stored.path}"}
    return {name: storage.join(given, name) for name in storage.list_names(given, ".json")}


def _is_run(name: str) -> bool:
    return PurePosixPath(name).name == RUN_FILE


def _label(given: str, name: str) -> str:
    """The folder of `name` below `given`; the last part of `given` itself where it is that folder."""
    above = name.rpartition("/")[0]
    return above or given.rstrip("/").rpartition("/")[2] or given


def _summary(path: str) -> dict[str, Any]:
    advice = "run the command that wrote it again"
    try:
        summary = json.loads(storage.read_bytes(path))
    except ValueError as error:
        raise DataError(f"damaged ({error}); {advice}", path=path) from None
    if not isinstance(summary, dict) or summary.get("dolmino_run") != 1:
        version = summary.get("dolmino_run") if isinstance(summary, dict) else None
        raise DataError(f"a run's summary of format {version!r}; this dolmino reads 1; {advice}", path=path)
    missing = [key for key in ("complete", "recipe", "counts") if key not in summary]
    if missing:
        raise DataError(f"damaged (no {', '.join(missing)}); {advice}", path=path)
    return summary


def _add_mix(mixes: dict[str, FoundMix], path: str, folder: str, label: str) -> None:
    data = storage.read_bytes(path)
    sha256 = hashlib.sha256(data).hexdigest()
    same = mixes.get(sha256)
    if same is None:
        mixes[sha256] = FoundMix(roots=(folder,), labels=(label,), lock=locks.parse(data, path), lock_sha256=sha256)
    elif folder not in same.roots:
        mixes[sha256] = replace(same, roots=(*same.roots, folder), labels=(*same.labels, label))
