"""What lies below a folder of an output, by one listing: sizes, and ages by the clock of the store that holds it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dolmino_cli.shards import folder_clock, s3
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.output import Output


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A file or object; `name` is relative to the folder that was listed."""

    name: str
    bytes: int
    age_seconds: float


def listed(output: Output, folder: str) -> Iterator[Listed]:
    """Everything below `folder` of an output, unfinished files too; nothing where it is not there. Raises StorageError."""
    root = output.path(folder)
    if output.is_s3:
        for name, size, age_seconds in s3.listed(root):
            yield Listed(name=name, bytes=size, age_seconds=age_seconds)
        return
    yield from listed_locally(Path(root))


def listed_locally(root: Path) -> Iterator[Listed]:
    """As `listed`, of a local folder. To ask its clock makes it younger: one without files is not asked."""
    if root.is_dir():
        with storage_errors("list", str(root)):
            yield from _below(str(root), "", functools.cache(lambda: folder_clock.now(root)))


def ages(output: Output, folder: str, suffix: str) -> dict[str, float]:
    """Seconds since each file below `folder` that ends with `suffix` was written, by its name there without the suffix.

    Unfinished files are left out. Raises StorageError.
    """
    found = (one for one in listed(output, folder) if one.name.endswith(suffix) and not one.name.endswith(".partial"))
    return {one.name.removesuffix(suffix): one.age_seconds for one in found}


def _below(folder: str, prefix: str, now: Callable[[], float]) -> Iterator[Listed]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:  # another process may remove what is empty
        for entry in sorted(entries, key=lambda entry: entry.name):
            with suppress(FileNotFoundError):
                if entry.is_dir():
                    yield from _below(entry.path, f"{prefix}{entry.name}/", now)
                else:
                    status = entry.stat()
                    age_seconds = max(0.0, now() - status.st_mtime)
                    yield Listed(name=f"{prefix}{entry.name}", bytes=status.st_size, age_seconds=age_seconds)
