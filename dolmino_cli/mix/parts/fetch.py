"""Files of a mix on S3, brought to a folder of this machine once, by all of its processes together."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dolmino_cli.errors import DataError, StorageError
from dolmino_cli.mix.reading import Hashed
from dolmino_cli.shards import storage
from dolmino_cli.shards.failures import storage_errors

_FETCHERS = 4  # per process
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A stored file, and what it must be."""

    path: str
    name: str
    bytes: int
    sha256: str


def fetch_files(files: Sequence[Wanted], folder: Path, *, begin_at: float) -> None:
    """Have all files in `folder`, each whole and with its sha256, or not there at all.

    Any number of processes may do this at the same time, each beginning at another place (`begin_at`, from 0 to below 1, of the
    files): none fetches what another one is fetching. Raises DataError for a file with another sha256, StorageError.
    """
    with storage_errors("write to", str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
    first = int(len(files) * begin_at)
    rotated = [*files[first:], *files[:first]]
    with ThreadPoolExecutor(_FETCHERS, thread_name_prefix="fetch") as fetchers:
        try:
            there = list(fetchers.map(lambda file: _fetch(file, folder, wait=False), rotated))
            for file in (file for file, is_there in zip(rotated, there, strict=True) if not is_there):
                _fetch(file, folder, wait=True)
        except BaseException:
            fetchers.shutdown(cancel_futures=True)
            raise


def _fetch(file: Wanted, folder: Path, *, wait: bool) -> bool:
    """Is it there now? False where another process is at it and this one is not to wait."""
    target = folder / file.name
    if _is_there(target, file):
        return True
    with (
        storage_errors("write", f"{target} (the cache must be on a disk with file locks)"),
        _lock_file(target).open("ab") as lock,
    ):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        if not _is_there(target, file):
            _download(file, target)
    return True


def _download(file: Wanted, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    try:
        with storage.open_bytes(file.path) as raw, partial.open("wb", buffering=0) as out:
            hashed, block = Hashed(raw, file.path), memoryview(bytearray(_BLOCK_BYTES))
            while count := hashed.readinto(block):
                left = block[:count]
                while left:
                    left = left[out.write(left) :]
            found, size = hashed.finish(), out.tell()
            # Nobody hashes it again: after a power cut it must not be there with bytes that never reached the disk.
            os.fsync(out.fileno())
        if size != file.bytes:
            raise StorageError(f"{file.path}: {size:,} bytes arrived of {file.bytes:,}; run the command again")
        if found != file.sha256:
            problem = f"was changed after it was written: its sha256 is {found}, the lock says {file.sha256}"
            raise DataError(f"{problem}; restore it, or sample the mix again", path=file.path)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _is_there(target: Path, file: Wanted) -> bool:
    return target.is_file() and target.stat().st_size == file.bytes


def _lock_file(target: Path) -> Path:
    return target.with_name(f".{target.name}.lock")
