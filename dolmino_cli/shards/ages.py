"""How long ago the files of a folder were written, by one listing and the clock of the store that they are in."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dolmino_cli.shards import s3
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.output import Output
from dolmino_cli.shards.owner import owner


def ages(output: Output, folder: str, suffix: str) -> dict[str, float]:
    """Seconds since each file below `folder` that ends with `suffix` was written, by its name there without the suffix.

    Unfinished files are left out; a folder that is not there has none. Raises StorageError.
    """
    root = output.path(folder)
    found = ((name, age) for name, _, age in s3.listed(root)) if output.is_s3 else _local_ages(root)
    return {name.removesuffix(suffix): age for name, age in found if name.endswith(suffix)}


def _local_ages(root: str) -> Iterator[tuple[str, float]]:
    if not Path(root).is_dir():
        return
    with storage_errors("list", root):
        now = _now(root)
        yield from _below(root, "", now)


def _below(folder: str, prefix: str, now: float) -> Iterator[tuple[str, float]]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:  # another process may remove what is empty
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.is_dir():
                    yield from _below(entry.path, f"{prefix}{entry.name}/", now)
                elif not entry.name.endswith(".partial"):
                    yield f"{prefix}{entry.name}", now - entry.stat().st_mtime


def _now(root: str) -> float:
    """The time by the clock of the machine that holds the folder, which stamps its files; by this one's where it is read-only."""
    probe = Path(root, f".clock.{owner()}.{time.monotonic_ns():x}.partial")
    try:
        probe.touch()
        stamped = probe.stat().st_mtime
    except OSError:
        return time.time()
    probe.unlink(missing_ok=True)
    return stamped
