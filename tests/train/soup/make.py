"""Small checkpoints for soups, by torch and safetensors' own writers: what ours must read and equal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

CONFIG = {"model_type": "olmo2", "hidden_size": 4, "torch_dtype": "bfloat16"}
TOKENIZER = {"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0}}, "padding": None}


def tensors(seed: int, dtype: torch.dtype = torch.bfloat16) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    made = {name: torch.randn(shape, generator=generator).to(dtype) for name, shape in SHAPES.items()}
    return made | {"steps": torch.tensor([1, 2, 3])}


SHAPES = {"embed.weight": (7, 4), "norm.weight": (4,), "scale": ()}


def checkpoint(
    folder: Path, weights: dict[str, torch.Tensor], *, config: dict[str, Any] | None = None, files: dict[str, Any] | None = None
) -> Path:
    folder.mkdir(parents=True)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    written = {"config.json": CONFIG if config is None else config, "tokenizer.json": TOKENIZER, **(files or {})}
    for name, value in written.items():
        if value is not None:
            (folder / name).write_text(json.dumps(value))
    return folder


def sharded(folder: Path, weights: dict[str, torch.Tensor]) -> Path:
    """The same with a file per tensor."""
    checkpoint(folder, weights)
    (folder / "model.safetensors").unlink()
    places = {}
    for number, (key, tensor) in enumerate(weights.items(), 1):
        places[key] = f"model-{number:05d}-of-{len(weights):05d}.safetensors"
        save_file({key: tensor}, folder / places[key], metadata={"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return folder
