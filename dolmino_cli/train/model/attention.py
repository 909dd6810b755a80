"""Causal attention for training: PyTorch's fused kernels, and a mask only where there is a sliding window or a document border.

transformers' own preparation of masks reads position ids back to the host in every forward pass. An implementation without a mask
function of its own is left alone by it, hence this one.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dolmino_cli.errors import ConfigError

NAME = "dolmino_causal"
# What would change the result and is not computed here: attention sinks, biases, caps.
_UNKNOWN = ("softcap", "s_aux", "position_bias", "head_mask")


def register() -> None:
    """Make `NAME` known to transformers as an `attn_implementation`. Twice does no harm."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)


def attend(
    module: torch.nn.Module,
    query_RHLD: Tensor,
    key_RHLD: Tensor,
    value_RHLD: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Every query sees itself and what is before it: all, its document's (`attention_mask`), at most `sliding_window` tokens.

    `attention_mask`, (R or 1, 1, L, L): True where a query may look. Dropout is left out. Without a mask the flash kernels
    run; with one, a slower kernel that reads L x L booleans a layer (16 MiB a window at 4,096, 64 MiB at 8,192).
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if any(others.get(name) is not None for name in _UNKNOWN):
        raise ConfigError(f"{type(module).__name__} has attention sinks, biases or caps, which dolmino does not train")
    length = query_RHLD.shape[2]
    if sliding_window is not None and sliding_window < length:
        near = causal(length, query_RHLD.device, within=sliding_window)
        attention_mask = near if attention_mask is None else attention_mask & near
    out: tuple[Tensor, None] = sdpa_attention_forward(
        module, query_RHLD, key_RHLD, value_RHLD, attention_mask, dropout=0.0, scaling=scaling, is_causal=True
    )
    return out


def causal(length: int, device: torch.device, within: int | None = None) -> Tensor:
    """(1, 1, L, L): True where query q may see key k: k <= q, and q - k < `within`."""
    place_L = torch.arange(length, device=device)
    behind_LL = place_L[:, None] - place_L[None, :]
    allowed_LL = behind_LL >= 0
    if within is not None:
        allowed_LL &= behind_LL < within
    return allowed_LL[None, None]


def same_document(positions_RL: Tensor) -> Tensor:
    """(R, 1, L, L): True where query and key are of one document and the key is not after the query.

    `positions_RL` is each token's place in its document; a document starts where it is 0.
    """
    document_RL = (positions_RL == 0).cumsum(1)
    same_RLL = document_RL[:, :, None] == document_RL[:, None, :]
    return same_RLL[:, None] & causal(positions_RL.shape[1], positions_RL.device)
