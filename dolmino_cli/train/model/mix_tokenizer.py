"""The tokenizer of a mix, for a model that comes with none: random weights, or those of a checkpoint of ours."""

from __future__ import annotations

import hashlib
from pathlib import Path

from dolmino_cli.tokenizer.at_hand import at_hand
from dolmino_cli.tokens.arrays import TokenizerRecord
from dolmino_cli.train.checkpoint_files import tokenizer_files_in


def tokenizer_at_hand(record: TokenizerRecord) -> list[Path]:
    """The files of the tokenizer that a mix was made with, where this machine holds them: a folder or file of that name, or the
    hub's cache. None are downloaded, and none are given whose tokenizer.json is not the mix's by sha256.
    """
    path = Path(at_hand(record.name) or record.name)
    path = path / "tokenizer.json" if path.is_dir() else path
    if path.name != "tokenizer.json" or not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != record.sha256:
        return []
    return tokenizer_files_in(path.parent)
