"""LossSums: what a forward pass over a micro-batch gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class LossSums:
    """One differentiable scalar, and sums of what was measured on the way, all on the device (S: sources of the mix)."""

    loss: torch.Tensor
    """(ce + z_loss x z) x scale, fp32: what backward() is called on."""
    ce: torch.Tensor
    """Cross-entropy in nats, summed over the targets that count; detached, without z."""
    z: torch.Tensor
    """Squared log-sum-exp of the logits, summed over the same targets; detached, without its factor."""
    ce_S: torch.Tensor
    """`ce` by the source of the target."""
    counted_S: torch.Tensor
    """How many targets counted, by source."""
