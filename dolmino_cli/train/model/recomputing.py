"""Activation checkpointing: what a block keeps for its backward pass, and what it computes again."""

from __future__ import annotations

import functools
from typing import Any, Literal

import torch
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

_ops = torch.ops.aten
# Dear to compute, small to keep.
_ATTENTION = {
    _ops._scaled_dot_product_flash_attention.default,
    _ops._scaled_dot_product_efficient_attention.default,
    _ops._scaled_dot_product_cudnn_attention.default,
    _ops._scaled_dot_product_flash_attention_for_cpu.default,
    _ops._scaled_dot_product_fused_attention_overrideable.default,
}
_MATMULS = {_ops.mm.default, _ops.addmm.default}


def recompute(block: Any, how: Literal["none", "selective", "full"]) -> None:
    """Let `block` keep everything for its backward pass, nothing but its input (full: a third more arithmetic), or (selective)
    the attention's output and that of every second matrix product.

    Replaces `block.forward`, not the block: keys of the state dict stay, and FSDP's hooks stay outside of what is computed twice.
    """
    if how == "none":
        return
    contexts = {} if how == "full" else {"context_fn": _selective_contexts}
    # Nothing is random here (no dropout), so the generators' states need no saving.
    block.forward = functools.partial(checkpoint, block.forward, use_reentrant=False, preserve_rng_state=False, **contexts)


def _selective_contexts() -> Any:
    products = {False: 0, True: 0}

    def policy(ctx: Any, op: Any, *_: Any, **__: Any) -> CheckpointPolicy:
        if op in _ATTENTION:
            return CheckpointPolicy.MUST_SAVE
        if op in _MATMULS:
            # Counted apart in the first and the second computation, so that both decide alike.
            products[ctx.is_recompute] += 1
            if products[ctx.is_recompute] % 2:
                return CheckpointPolicy.MUST_SAVE
        return CheckpointPolicy.PREFER_RECOMPUTE

    return create_selective_checkpoint_contexts(policy)
