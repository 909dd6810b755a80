"""Local files that appear whole: for scratch, which several processes may write at once, and any may be killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dolmino_cli.shards.owner import owner


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Where to write what is to become `path`: it is renamed at the end of the context, or removed where that fails.

    The temporary name has the process in it, as that of every unfinished file (`leftovers`).
    """
    partial = path.with_name(f".{path.name}.{owner()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
