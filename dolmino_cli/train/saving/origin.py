"""`OUTPUT/origin`: configuration and tokenizer of what a run started from, so that its checkpoints need nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dolmino_cli.errors import StorageError
from dolmino_cli.train.model.checkpoint import Checkpoint

ORIGIN = "origin"


def write_origin(output: Path, files: Checkpoint | None, config: Any, tokenizer_files: Sequence[Path]) -> None:
    """Write it anew: `files`' own, or the configuration, and the tokenizer. Raises StorageError."""
    folder = output / ORIGIN
    partial = folder.with_suffix(".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        if files is None:
            (partial / "config.json").write_text(config.to_json_string(use_diff=False))
        else:
            generation = files.folder / "generation_config.json"
            for path in [files.folder / "config.json", *([generation] if generation.is_file() else [])]:
                shutil.copyfile(path, partial / path.name)
        for path in tokenizer_files:
            shutil.copyfile(path, partial / path.name)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror}; make room, and run again") from None


def read_origin(checkpoint: Path, model: dict[str, Any]) -> Checkpoint:
    """What the run of a checkpoint folder started from, without weights; `model` is the configuration that its state holds."""
    from transformers import AutoConfig

    folder = checkpoint.parent.parent / ORIGIN
    if not (folder / "config.json").is_file():
        raise StorageError(f"{folder} is missing; copy a checkpoint together with its run's {ORIGIN} folder")
    return Checkpoint(folder=folder, name=str(checkpoint), config=AutoConfig.for_model(**model), weights={})
