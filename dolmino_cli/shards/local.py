"""Local files as a store: stat, walk, open."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG
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
