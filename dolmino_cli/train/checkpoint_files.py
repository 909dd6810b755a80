"""Files of a checkpoint folder besides its weights: JSON, the tokenizer's, and their hashes. Needs no torch."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from dolmino_cli.errors import DataError, StorageError

# All that transformers' tokenizers read; those that a folder has go on to what is made of it.
_TOKENIZER_FILES = (
    "tokenizer.json tokenizer_config.json special_tokens_map.json added_tokens.json tokenizer.model vocab.json vocab.txt"
    " merges.txt chat_template.jinja chat_template.json"
).split()


def tokenizer_files_in(folder: Path) -> list[Path]:
    """Those of a folder's files that are a tokenizer's."""
    return [folder / name for name in _TOKENIZER_FILES if (folder / name).is_file()]


def carried_files_in(folder: Path) -> list[Path]:
    """Those that go on unchanged to what is made of a checkpoint: its generation configuration and tokenizer."""
    generation = folder / "generation_config.json"
    return [*([generation] if generation.is_file() else []), *tokenizer_files_in(folder)]


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file. Raises DataError for anything else, StorageError where it cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise DataError(f"it is not JSON: {error}", path=str(path)) from None
    if not isinstance(found, dict):
        raise DataError(f"it is no JSON object but {type(found).__name__}", path=str(path))
    return found


def read_json_if_there(path: Path) -> dict[str, Any] | None:
    """As `read_json`; None where there is no file."""
    return read_json(path) if path.is_file() else None


def file_sha256(path: Path) -> str:
    """The sha256 (hex) of a file. Raises StorageError."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror or error}") from None
