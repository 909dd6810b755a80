"""Local files as a store: stat, walk, glob, open."""

from __future__ import annotations

import errno
import fnmatch
import glob
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO

from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.shard import Shard

# A link that leads nowhere, or in a circle, is as none.
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def stat(path: str) -> Shard | None:
    """The file at `path`; None where there is no file (a folder is not one)."""
    with storage_errors("look at", path):
        return _shard(path, Path(path).name)


def walk(root: str) -> Iterator[Shard]:
    """Every file below the folder `root`, links followed, each folder once; names relative to it with `/`.

    What is removed by another process meanwhile may be there or not.
    """
    seen: set[Path] = set()

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError) or error.filename == root:
            raise error  # os.walk would leave out a folder that it may not read

    with storage_errors("list", root):
        for folder, below, files in os.walk(root, followlinks=True, onerror=refuse):
            below[:] = sorted(name for name in below if _first_visit(Path(folder, name), seen))
            # Strings, and one look at each file: there may be 100,000, and Path takes three times as long.
            place, name = str(Path(folder, "_"))[:-1], Path(folder, "_").relative_to(root).as_posix()[:-1]
            for file in sorted(files):
                found = _shard(place + file, name + file)
                if found is not None:
                    yield found


def matching(pattern: str) -> list[Shard]:
    """The files that a glob means, sorted by path, as `glob.glob(pattern, recursive=True)` reads it.

    That one leaves out, and says nothing of it, what is in a folder that it may not or cannot read: here it is a StorageError.
    """
    root = pattern[: len(pattern) - len(pattern.lstrip("/"))]
    found = (stat(path) for path in set(_paths(root, re.sub("//+", "/", pattern[len(root) :]).split("/"))))
    return sorted((shard for shard in found if shard is not None), key=lambda shard: shard.path)


def _paths(folder: str, parts: Sequence[str]) -> Iterator[str]:
    """What may be a file, for the rest of a pattern below `folder`, which is empty or ends with `/`."""
    part, rest = parts[0], parts[1:]
    if part == "**":
        yield from _paths(folder, rest or ["*"])
        yield from (path for name in _names(folder, "*") for path in _inside(f"{folder}{name}", parts))
        return
    for name in _names(folder, part) if glob.has_magic(part) else [part]:
        path = f"{folder}{name}"
        if rest:
            yield from _inside(path, rest)
        else:
            yield path


def _inside(path: str, parts: Sequence[str]) -> Iterator[str]:
    with storage_errors("look at", path):
        try:
            is_folder = S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116
        except OSError as error:
            if error.errno not in _NOT_THERE:
                raise
            return
    if is_folder:
        yield from _paths(f"{path}/", parts)


def _names(folder: str, part: str) -> list[str]:
    """Of what is in a folder, that which a part of a pattern means; hidden names only where it begins with a dot itself."""
    with storage_errors("list", folder or "."):
        try:
            names = fnmatch.filter(os.listdir(folder or "."), part)  # noqa: PTH208
        except FileNotFoundError:  # removed since
            return []
    return names if part.startswith(".") else [name for name in names if not name.startswith(".")]


def _first_visit(folder: Path, seen: set[Path]) -> bool:
    real = folder.resolve()
    new = real not in seen
    seen.add(real)
    return new


def _shard(path: str, name: str) -> Shard | None:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError as error:
        if error.errno in _NOT_THERE:
            return None
        raise
    if not S_ISREG(status.st_mode):
        return None
    return Shard(path=path, name=name, bytes=status.st_size, etag=f"mtime:{status.st_mtime_ns}")


def open_bytes(path: str) -> BinaryIO:
    """The file for reading, unbuffered by Python: readers here ask for large pieces."""
    with storage_errors("read", path):
        return Path(path).open("rb", buffering=0)
