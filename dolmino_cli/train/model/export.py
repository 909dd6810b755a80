"""A trained model as a Hugging Face checkpoint: configuration, tokenizer, and safetensors written tensor by tensor."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, distributed
from torch.distributed.tensor import DTensor

from dolmino_cli.errors import ConfigError, RunFailed, StorageError
from dolmino_cli.train.checkpoint_files import read_json
from dolmino_cli.train.model.build import TrainedModel
from dolmino_cli.train.model.checkpoint import Checkpoint
from dolmino_cli.train.model.safetensors_out import DTYPES, SafetensorsFile
from dolmino_cli.train.model.weights_in import named_weights
from dolmino_cli.train.unfinished_folder import unfinished
from dolmino_cli.train.weight_shards import INDEX, SHARD_MOST_BYTES, Shard, index_of, shards_of

_STORED = {"bf16": "BF16", "fp32": "F32"}


def export(
    model: TrainedModel,
    folder: Path,
    *,
    checkpoint: Checkpoint | None,
    dtype: Literal["bf16", "fp32"],
    tokenizer_files: Sequence[Path] | None = None,
    file_bytes: int = SHARD_MOST_BYTES,
) -> None:
    """Write `model` to `folder`, which must not exist; it appears complete or not at all. Every rank calls this, rank 0 writes.

    The configuration is `checkpoint`'s own, but for the type of the weights; so is the tokenizer, unless `tokenizer_files` are
    given. Weights are in files of at most `file_bytes` (a larger tensor has one of its own) and in memory one at a time. Raises
    ConfigError for a folder that is there, StorageError for one that cannot be written; on all ranks alike.
    """
    weights = dict(named_weights(model))
    shards = shards_of({name: (_STORED[dtype], tuple(weight.shape)) for name, weight in weights.items()}, file_bytes)
    writes = distributed.get_rank() == 0
    exists = f"{folder} exists already; remove it, or export to another folder" if writes and folder.exists() else None
    _together(exists, ConfigError)
    tensors = _gathered(weights, DTYPES[_STORED[dtype]])
    problem = None
    if writes:
        if tokenizer_files is None:
            tokenizer_files = checkpoint.tokenizer_files if checkpoint else []
        try:
            _write(folder, shards, tensors, _texts(model, checkpoint, dtype, shards), tokenizer_files)
        except OSError as error:
            problem = f"{folder}: the model could not be exported: {error.strerror or error}"
        except RunFailed as error:  # to be raised by all ranks, too
            problem = str(error)
    # All ranks take part in gathering every tensor, whatever became of the writing.
    for _ in tensors:
        pass
    _together(problem, StorageError)


def _gathered(weights: dict[str, Tensor], dtype: torch.dtype) -> Iterator[Tensor]:
    for weight in weights.values():
        # Cast first: half the bytes to gather.
        cast = weight.detach().to(dtype)
        yield (cast.full_tensor() if isinstance(cast, DTensor) else cast).cpu()


def _together(problem: str | None, kind: type[ConfigError] | type[StorageError]) -> None:
    """Raise rank 0's problem on every rank: one that raised alone would leave the others waiting for it."""
    said = [problem]
    distributed.broadcast_object_list(said, src=0)
    if said[0] is not None:
        raise kind(said[0])


def _texts(model: TrainedModel, checkpoint: Checkpoint | None, dtype: str, shards: Sequence[Shard]) -> dict[str, Any]:
    """The JSON files beside the weights."""
    config = (
        read_json(checkpoint.folder / "config.json") if checkpoint else json.loads(model.hf.config.to_json_string(use_diff=False))
    )
    # transformers 4 wrote, and reads, the type as torch_dtype.
    config["torch_dtype" if "torch_dtype" in config else "dtype"] = str(DTYPES[_STORED[dtype]]).removeprefix("torch.")
    config["architectures"] = [type(model.hf).__name__]
    # Code of its own that this model was not trained with.
    config.pop("auto_map", None)
    texts = {"config.json": config}
    if checkpoint and (checkpoint.folder / "generation_config.json").is_file():
        texts["generation_config.json"] = read_json(checkpoint.folder / "generation_config.json")
    if len(shards) > 1:
        texts[INDEX] = index_of(shards)
    return texts


def _write(
    folder: Path, shards: Sequence[Shard], tensors: Iterator[Tensor], texts: dict[str, Any], copies: Sequence[Path]
) -> None:
    with unfinished(folder) as scratch:
        for shard in shards:
            with SafetensorsFile(scratch, shard) as file:
                for name in shard.tensors:
                    file.add(name, next(tensors))
        for name, content in texts.items():
            (scratch / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        for path in copies:
            shutil.copyfile(path, scratch / path.name)
