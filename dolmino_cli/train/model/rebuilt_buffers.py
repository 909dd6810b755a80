"""Buffers that no checkpoint holds (rotary frequencies): computed by the architecture, as meta has no values."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dolmino_cli.errors import ConfigError


def rebuild(hf: Any) -> dict[str, Tensor]:
    """The values of all buffers of `hf` (on meta) that its state dict leaves out, by name, on the CPU.

    `_init_weights` is what from_pretrained computes them with, after making them on meta as well. Its parameters stay on meta,
    which no initialization touches. Raises ConfigError for a buffer that it does not set.
    """
    values: dict[str, Tensor] = {}
    for path, module in hf.named_modules():
        names = sorted(module._non_persistent_buffers_set)
        given = {name: module._buffers[name] for name in names if module._buffers.get(name) is not None}
        if not given:
            continue
        for name, buffer in given.items():
            # What nobody computes is seen by its NaN.
            unset = float("nan") if buffer.is_floating_point() else 0
            module._buffers[name] = torch.full_like(buffer, unset, device="cpu")
        with torch.no_grad():
            hf._init_weights(module)
        for name in given:
            full_name = f"{path}.{name}" if path else name
            if torch.isnan(module._buffers[name]).any():
                raise ConfigError(
                    f"{type(hf).__name__}: transformers does not say how {full_name} is computed; dolmino cannot train it"
                )
            values[full_name] = module._buffers[name]
    return values


def restore(hf: Any, values: dict[str, Tensor]) -> None:
    """Write `values` where to_empty() left memory without any."""
    buffers = dict(hf.named_buffers())
    for name, value in values.items():
        buffers[name].copy_(value)
