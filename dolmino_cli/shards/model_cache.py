"""What is derived from a model once and kept between runs: a folder in the cache, named by the model's content."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from dolmino_cli.errors import StorageError
from dolmino_cli.shards.storage import cache_folder

_READ_BYTES = 1 << 20


def file_sha256(path: Path) -> str:
    """sha256 (hex) of a file, remembered by path, size and modification time: a model of 2 GB is read once, not once per run."""
    try:
        facts = path.stat()
        seen = f"{path.resolve()}\n{facts.st_size}\n{facts.st_mtime_ns}"
        note = cache_folder() / "sha256" / hashlib.sha256(seen.encode()).hexdigest()
        if note.is_file():
            return note.read_text(encoding="ascii")
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while piece := file.read(_READ_BYTES):
                digest.update(piece)
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror or error}") from None

    def write(scratch: Path) -> None:
        scratch.write_text(digest.hexdigest(), encoding="ascii")

    make_once(note, write)
    return digest.hexdigest()


def make_once(target: Path, write: Callable[[Path], None]) -> None:
    """Let `write` make a file or folder under a scratch name, then rename it to `target`.

    `target` is never seen unfinished; of several processes that make it at once, one wins and the others' is discarded.
    Raises StorageError naming the folder and DOLMINO_CACHE when it cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent, ignore_cleanup_errors=True) as scratch:
            made = Path(scratch) / "made"
            write(made)
            try:
                made.rename(target)
            except OSError:
                # A folder does not replace one that is there: another process was first.
                if not target.exists():
                    raise
    except OSError as error:
        raise StorageError(
            f"cannot write {target}: {error.strerror or error}; free some space, or set DOLMINO_CACHE to a folder on another disk"
        ) from None
