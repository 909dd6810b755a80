"""Local files as a store: stat, walk, open."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.shard import Shard


def stat(path: str) -> Shard | None:
    """The file at `path`; None where there is no file (a folder is not one)."""
    with storage_errors("look at", path):
        file = Path(path)
        return _shard(path, file.name) if file.is_file() else None


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
            for path in (Path(folder, file) for file in sorted(files)):
                found = None
                with suppress(FileNotFoundError):
                    found = _shard(str(path), path.relative_to(root).as_posix()) if path.is_file() else None
                if found is not None:
                    yield found


def _first_visit(folder: Path, seen: set[Path]) -> bool:
    real = folder.resolve()
    new = real not in seen
    seen.add(real)
    return new


def _shard(path: str, name: str) -> Shard:
    status = Path(path).stat()
    return Shard(path=path, name=name, bytes=status.st_size, etag=f"mtime:{status.st_mtime_ns}")


def open_bytes(path: str) -> BinaryIO:
    """The file for reading, unbuffered by Python: readers here ask for large pieces."""
    with storage_errors("read", path):
        return Path(path).open("rb", buffering=0)
