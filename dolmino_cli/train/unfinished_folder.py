"""Folders that one process at a time writes: in the making under another name beside their own, or of trials."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dolmino_cli.errors import RunFailed
from dolmino_cli.train import locks


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """The empty folder `.NAME.partial`, which becomes `folder` at the end of the block, or goes where that fails.

    What a killed process left of it is removed. Raises RunFailed where another process is writing there, OSError.
    """
    with alone_in(folder.with_name(f".{folder.name}.partial"), making=folder) as partial:
        yield partial
        partial.rename(folder)


@contextmanager
def alone_in(folder: Path, *, making: Path) -> Iterator[Path]:
    """`folder`, empty, for this process alone; it goes where the block fails.

    What a killed process left of it is removed. Raises RunFailed where another process is making `making` there, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = os.open(folder, os.O_RDONLY)
    try:
        _lock(held, folder, making)
        try:
            for left in folder.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    finally:
        os.close(held)


def _lock(held: int, folder: Path, making: Path) -> None:
    busy = RunFailed(f"another process is writing {making}; wait until it has ended, or choose another folder")
    if not locks.take(held):
        raise busy
    there = None
    with suppress(FileNotFoundError):
        there = folder.stat().st_ino
    if there != os.fstat(held).st_ino:  # it was renamed between the look at it and the lock
        raise busy
