"""Small files that are there whole, or not at all."""

from __future__ import annotations

from pathlib import Path

from dolmino_cli.errors import StorageError


def write_whole(path: Path, text: str) -> None:
    """Write the file under another name beside it, then rename it: what was there stays until then. Raises StorageError."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}; make room, and run again") from None
