"""What processes that were killed left unfinished in a folder: files under temporary names that carry their process."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.owner import is_gone

_PARTIAL = re.compile(r"\.([0-9a-f]+-[0-9a-f]+-[0-9a-f]+)\.partial\Z")


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """An unfinished file. `gone`: has the process that wrote it ended? None where it ran on another machine."""

    path: Path
    bytes: int
    gone: bool | None


def leftovers(root: Path) -> Iterator[Leftover]:
    """Unfinished files below a local folder. Raises StorageError."""
    with storage_errors("list", str(root)):
        for folder, below, files in os.walk(root):
            below.sort()
            for file in sorted(files):
                found = _PARTIAL.search(file)
                if found is None:
                    continue
                path = Path(folder, file)
                try:
                    yield Leftover(path=path, bytes=path.stat().st_size, gone=is_gone(found.group(1)))
                except FileNotFoundError:
                    continue  # finished meanwhile


def remove_gone(root: Path) -> None:
    """Remove what processes of this machine that have ended left below `root`. Raises StorageError."""
    for leftover in leftovers(root):
        if leftover.gone:
            with storage_errors("delete", str(leftover.path)):
                leftover.path.unlink(missing_ok=True)
