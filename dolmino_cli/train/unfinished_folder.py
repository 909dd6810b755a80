"""A folder in the making: written under another name beside its own by one process at a time, then renamed, or removed."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dolmino_cli.errors import RunFailed


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """The empty folder `.NAME.partial`, which becomes `folder` at the end of the block, or goes where that fails.

    What a killed process left of it is removed. Raises RunFailed where another process is writing there, OSError.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    held = os.open(partial, os.O_RDONLY)
    try:
        _lock(held, partial, folder)
        try:
            for left in partial.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            yield partial
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    finally:
        os.close(held)


def _lock(held: int, partial: Path, folder: Path) -> None:
    busy = RunFailed(f"another process is writing {folder}; wait until it has ended, or choose another folder")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise busy from None
    except OSError:  # a file system that has no locks
        pass
    there = None
    with suppress(FileNotFoundError):
        there = partial.stat().st_ino
    if there != os.fstat(held).st_ino:  # it was renamed between the look at it and the lock
        raise busy
