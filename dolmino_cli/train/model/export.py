"""A trained model as a Hugging Face checkpoint: configuration, tokenizer, and safetensors written tensor by tensor."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, distributed
from torch.distributed.tensor import DTensor

from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.train.model.build import TrainedModel
from dolmino_cli.train.model.checkpoint import Checkpoint, read_json
from dolmino_cli.train.model.safetensors_out import SafetensorsFile, TensorFacts
from dolmino_cli.train.model.weights_in import named_weights

_FILE_BYTES = 5 * 1000**3
_DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


def export(
    model: TrainedModel,
    folder: Path,
    *,
    checkpoint: Checkpoint | None,
    dtype: Literal["bf16", "fp32"],
    tokenizer_files: Sequence[Path] | None = None,
    file_bytes: int = _FILE_BYTES,
) -> None:
    """Write `model` to `folder`, which must not exist; it appears complete or not at all. Every rank calls this, rank 0 writes.

    The configuration is `checkpoint`'s own, but for the type of the weights; so is the tokenizer, unless `tokenizer_files` are
    given. Weights are in files of at most `file_bytes` (a larger tensor has one of its own) and in memory one at a time. Raises
    ConfigError for a folder that is there, StorageError for one that cannot be written; on all ranks alike.
    """
    weights = dict(named_weights(model))
    facts = [TensorFacts(name=name, shape=tuple(weight.shape), dtype=_DTYPES[dtype]) for name, weight in weights.items()]
    files = split(facts, file_bytes)
    writes = distributed.get_rank() == 0
    exists = f"{folder} exists already; remove it, or export to another folder" if writes and folder.exists() else None
    _together(exists, ConfigError)
    tensors = _gathered(weights, facts)
    problem = None
    if writes:
        if tokenizer_files is None:
            tokenizer_files = checkpoint.tokenizer_files if checkpoint else []
        try:
            _write(folder, files, tensors, _texts(model, checkpoint, dtype, files), tokenizer_files)
        except OSError as error:
            problem = f"{folder}: the model could not be exported: {error.strerror or error}"
    # All ranks take part in gathering every tensor, whatever became of the writing.
    for _ in tensors:
        pass
    _together(problem, StorageError)


def split(tensors: Iterable[TensorFacts], file_bytes: int) -> dict[str, list[TensorFacts]]:
    """File name -> its tensors, in their order, by transformers' naming."""
    groups: list[list[TensorFacts]] = [[]]
    for tensor in tensors:
        if groups[-1] and sum(known.size for known in groups[-1]) + tensor.size > file_bytes:
            groups.append([])
        groups[-1].append(tensor)
    if len(groups) == 1:
        return {"model.safetensors": groups[0]}
    return {f"model-{number:05d}-of-{len(groups):05d}.safetensors": group for number, group in enumerate(groups, 1)}


def _gathered(weights: dict[str, Tensor], facts: Iterable[TensorFacts]) -> Iterator[Tensor]:
    for tensor in facts:
        # Cast first: half the bytes to gather.
        weight = weights[tensor.name].detach().to(tensor.dtype)
        yield (weight.full_tensor() if isinstance(weight, DTensor) else weight).cpu()


def _together(problem: str | None, kind: type[ConfigError] | type[StorageError]) -> None:
    """Raise rank 0's problem on every rank: one that raised alone would leave the others waiting for it."""
    said = [problem]
    distributed.broadcast_object_list(said, src=0)
    if said[0] is not None:
        raise kind(said[0])


def _texts(model: TrainedModel, checkpoint: Checkpoint | None, dtype: str, files: dict[str, list[TensorFacts]]) -> dict[str, Any]:
    """The JSON files beside the weights."""
    config = (
        read_json(checkpoint.folder / "config.json") if checkpoint else json.loads(model.hf.config.to_json_string(use_diff=False))
    )
    # transformers 4 wrote, and reads, the type as torch_dtype.
    config["torch_dtype" if "torch_dtype" in config else "dtype"] = str(_DTYPES[dtype]).removeprefix("torch.")
    config["architectures"] = [type(model.hf).__name__]
    # Code of its own that this model was not trained with.
    config.pop("auto_map", None)
    texts = {"config.json": config}
    if checkpoint and (checkpoint.folder / "generation_config.json").is_file():
        texts["generation_config.json"] = read_json(checkpoint.folder / "generation_config.json")
    if len(files) > 1:
        total = sum(tensor.size for tensors in files.values() for tensor in tensors)
        weight_map = {tensor.name: name for name, tensors in files.items() for tensor in tensors}
        texts["model.safetensors.index.json"] = {"metadata": {"total_size": total}, "weight_map": weight_map}
    return texts


def _write(
    folder: Path, files: dict[str, list[TensorFacts]], tensors: Iterator[Tensor], texts: dict[str, Any], copies: Sequence[Path]
) -> None:
    scratch = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    for name, facts in files.items():
        with SafetensorsFile(scratch / name, facts) as file:
            for tensor in facts:
                file.add(tensor.name, next(tensors))
    for name, content in texts.items():
        (scratch / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for path in copies:
        shutil.copyfile(path, scratch / path.name)
    scratch.rename(folder)
