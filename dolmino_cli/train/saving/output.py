"""The output folder of a run: written by one run at a time, and one folder for all of its ranks."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dolmino_cli.errors import ConfigError, RunFailed, StorageError
from dolmino_cli.train import locks
from dolmino_cli.train.ranks import Ranks

LOCK = ".lock"
# A run that was killed may still be dying, its lock be known to a file server for a lease, a new file not yet to its clients.
_PATIENCE_SECONDS = 120


@contextmanager
def claimed(output: Path, ranks: Ranks, *, say: Callable[[str], None]) -> Iterator[None]:
    """Let no other run write to `output` meanwhile, and see that all ranks mean the same folder. All ranks call it.

    Raises RunFailed where another run goes on there, ConfigError where machines do not share the folder, StorageError. Ends with
    the process, however that ends; file systems without locks have none.
    """
    held = None
    token = ranks.of_first(uuid.uuid4().hex)
    try:
        with ranks.together():
            if ranks.first:
                held = _opened(output)
                _lock(held, output, token, say)
        with ranks.together():
            if not _patiently(lambda: _text(output / LOCK) == token):
                problem = f"rank {ranks.rank} does not find in {output} what rank 0 wrote there"
                raise ConfigError(f"{problem}; give an --output that all machines share")
        yield
    finally:
        if held is not None:
            os.close(held)


def _opened(output: Path) -> int:
    try:
        output.mkdir(parents=True, exist_ok=True)
        return os.open(output / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StorageError(f"{output} cannot be written: {error.strerror}; give another --output, or make it writable") from None


def _lock(descriptor: int, output: Path, token: str, say: Callable[[str], None]) -> None:
    """Until it is closed; `token` is in it then."""
    if not locks.take(descriptor):
        say(f"waiting for another run that writes to {output}")
        if not _patiently(lambda: locks.take(descriptor)):
            raise RunFailed(f"another run writes to {output}; wait until it has ended, or give another --output")
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, token.encode())
        os.fsync(descriptor)
    except OSError as error:
        raise StorageError(f"{output / LOCK} cannot be written: {error.strerror}; make room, and run again") from None


def _patiently(found: Callable[[], bool]) -> bool:
    until = time.monotonic() + _PATIENCE_SECONDS
    while not found():
        if time.monotonic() >= until:
            return False
        time.sleep(0.5)
    return True


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
