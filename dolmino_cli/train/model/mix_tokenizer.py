"""The tokenizer of a mix, for a model that comes with none: random weights, or those of a checkpoint of ours."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dolmino_cli.tokens.arrays import TokenizerRecord
from dolmino_cli.train.model.checkpoint import tokenizer_files_in


def tokenizer_at_hand(record: TokenizerRecord) -> list[Path]:
    """The files of the tokenizer that a mix was made with, where this machine holds them: a folder or file of that name, or the
    hub's cache. None are downloaded, and none are given whose tokenizer.json is not the mix's by sha256.
    """
    path = _path_of(record.name)
    if path is None or path.name != "tokenizer.json" or hashlib.sha256(path.read_bytes()).hexdigest() != record.sha256:
        return []
    return tokenizer_files_in(path.parent)


def _path_of(name: str) -> Path | None:
    local = Path(name)
    for path in (local / "tokenizer.json", local):
        if path.is_file():
            return path
    if "/" not in name:
        return None
    from huggingface_hub import try_to_load_from_cache

    try:
        cached = try_to_load_from_cache(name, "tokenizer.json")
    except ValueError:  # a name that no repository has
        return None
    return Path(cached) if isinstance(cached, str) else None
