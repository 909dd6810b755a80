"""What lies below a folder of an output, with sizes and ages by the clock of the store that holds it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dolmino_cli.shards import s3
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
    """As `listed`, of a local folder; ages by this machine's clock."""
    with storage_errors("list", str(root)):
        now = time.time()
        for folder, below, files in os.walk(root):
            below.sort()
            for path in (Path(folder, file) for file in sorted(files)):
                with suppress(FileNotFoundError):  # finished or removed meanwhile
                    status = path.stat()
                    name = path.relative_to(root).as_posix()
                    yield Listed(name=name, bytes=status.st_size, age_seconds=max(0.0, now - status.st_mtime))
