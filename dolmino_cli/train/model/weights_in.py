"""Weights into a sharded model: from safetensors, every rank reading its own slices only, or random, the same for every mesh."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

from dolmino_cli.errors import ConfigError, DataError, first_line
from dolmino_cli.train.model.build import TrainedModel
from dolmino_cli.train.model.checkpoint import Checkpoint

# Rotary frequencies that transformers wrote before 2023, and computes now.
_IGNORED = re.compile(r"rotary_emb\.inv_freq$")


def own_slice(weight: Tensor) -> tuple[Tensor, tuple[slice, ...]]:
    """This rank's part of a parameter, and where it lies in the whole."""
    if not isinstance(weight, DTensor):
        return weight, tuple(slice(0, size) for size in weight.shape)
    shape, offset = compute_local_shape_and_global_offset(weight.shape, weight.device_mesh, weight.placements)
    return weight.to_local(), tuple(slice(start, start + size) for start, size in zip(offset, shape, strict=True))


def fill(model: TrainedModel, checkpoint: Checkpoint) -> None:
    """Every weight of `model` from `checkpoint`, as fp32. Holds one slice of one tensor at a time.

    Raises ConfigError naming what is missing, left over, or of another shape; DataError for a file that cannot be read.
    """
    weights = dict(named_weights(model))
    _check_names(model, weights, checkpoint)
    by_file: dict[Path, list[str]] = {}
    for name in weights:
        by_file.setdefault(checkpoint.weights[name], []).append(name)
    with torch.no_grad():
        for path, names in sorted(by_file.items()):
            _fill_from(path, names, weights, checkpoint)
        _check_tied(model, checkpoint)


def fill_random(model: TrainedModel, seed: int) -> None:
    """Matrices from a normal distribution of deviation 0.02, cut at three of them (OLMo 2's paper, Stage 1: "truncated");
    norms 1, biases 0. A weight depends on `seed`, its name and the kind of device alone, not on the mesh.

    Every rank makes every whole matrix, one at a time, where the weights are: a CPU needs minutes for a billion of them.
    """
    with torch.no_grad():
        for name, weight in named_weights(model):
            own, place = own_slice(weight)
            if weight.ndim < 2:
                own.fill_(0.0 if name.endswith("bias") else 1.0)
                continue
            key = hashlib.sha256(f"{seed}/{name}".encode()).digest()
            generator = torch.Generator(own.device).manual_seed(int.from_bytes(key[:8], "little") >> 1)
            whole = torch.empty(weight.shape, dtype=torch.float32, device=own.device)
            torch.nn.init.trunc_normal_(whole, std=0.02, a=-0.06, b=0.06, generator=generator)
            own.copy_(whole[place])


def named_weights(model: TrainedModel) -> Iterator[tuple[str, Tensor]]:
    """(Hugging Face's name, tensor) of all that a checkpoint holds, a tied weight once, under the embedding's name."""
    yield from model.hf.named_parameters()
    kept = model.hf.state_dict().keys()
    yield from ((name, buffer) for name, buffer in model.hf.named_buffers() if name in kept)


def _check_names(model: TrainedModel, weights: dict[str, Tensor], checkpoint: Checkpoint) -> None:
    # A tied head may stand in a checkpoint under its own name too; _check_tied compares.
    known = {*weights, *(model.hf.state_dict().keys() if model.layout.tied else ())}
    missing = [name for name in weights if name not in checkpoint.weights]
    extra = [name for name in checkpoint.weights if name not in known and not _IGNORED.search(name)]
    for names, problem in ((missing, "lacks"), (extra, "has besides")):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise ConfigError(
                f"{checkpoint.name} {problem} {sorted(names)[0]}{more}, for a {type(model.hf).__name__}; is its config right?"
            )


def _check_tied(model: TrainedModel, checkpoint: Checkpoint) -> None:
    """transformers unties a head that differs from its embedding, whatever the config says; that would be another model."""
    name = f"{model.layout.head}.weight"
    if not model.layout.tied or name not in checkpoint.weights:
        return
    own, place = own_slice(model.layout.embedding.weight)
    with _opened(checkpoint.weights[name]) as file:
        if own.numel() and not torch.equal(file.get_slice(name)[place].to(own), own):
            raise ConfigError(
                f"{checkpoint.name}: {name} is not the embedding, though its config ties them; set tie_word_embeddings: false"
            )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise DataError(f"it cannot be read: {first_line(error)}", path=str(path)) from None


def _fill_from(path: Path, names: list[str], weights: dict[str, Tensor], checkpoint: Checkpoint) -> None:
    with _opened(path) as file:
        for name in names:
            part: Any = file.get_slice(name)
            shape = tuple(part.get_shape())
            if shape != tuple(weights[name].shape):
                raise ConfigError(f"{checkpoint.name}: {name} is {shape}; its config asks for {tuple(weights[name].shape)}")
            own, place = own_slice(weights[name])
            if own.numel():
                own.copy_(part[place] if place else file.get_tensor(name))
