"""Fused AdamW over the shards of a model: who is decayed, its moments by weight, and a global norm cut on the device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from dolmino_cli.train.run_file import Optimizer


class AdamW:
    """torch's fused AdamW in two groups: everything, and the input embedding, which is not decayed unless asked.

    Norms and an untied head are decayed, as OLMo 2 ran (allenai/OLMo, optim.py:860-871); a head tied to the embedding is the
    embedding. Nothing in it waits for the device.
    """

    def __init__(self, weights: dict[str, nn.Parameter], embedding: nn.Parameter, settings: Optimizer) -> None:
        """`weights` are a model's own by name, each once."""
        self.weights, self.settings = weights, settings
        device = next(iter(weights.values())).device
        # One number that both groups hold, so that setting it is one kernel and no copy.
        self.rate = torch.zeros((), device=device)
        others = [weight for weight in weights.values() if weight is not embedding]
        decay = settings.weight_decay
        self.torch = torch.optim.AdamW(
            [
                {"params": others, "weight_decay": decay},
                {"params": [embedding], "weight_decay": decay if settings.decay_embeddings else 0.0},
            ],
            lr=self.rate,
            betas=(settings.betas[0], settings.betas[1]),
            eps=settings.eps,
            fused=True,
        )
        # Made now, as AdamW would at its first step: they can be filled, and their memory is there or is not.
        for weight in weights.values():
            self.torch.state[weight] = {
                "step": torch.zeros((), device=device),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }

    def moments(self) -> dict[str, Any]:
        """What a checkpoint holds besides the weights, by their names: writing into these tensors loads them."""
        state = self.torch.state
        means = {key: {name: state[weight][key] for name, weight in self.weights.items()} for key in ("exp_avg", "exp_avg_sq")}
        return {**means, "updates": self.updates}

    @property
    def updates(self) -> Tensor:
        """How many gradients the moments hold. All weights have the same number; a checkpoint holds the first's."""
        taken: Tensor = self.torch.state[next(iter(self.weights.values()))]["step"]
        return taken

    def moments_were_loaded(self) -> None:
        """Give every weight the number of updates that was loaded for the first."""
        for weight in self.weights.values():
            self.torch.state[weight]["step"].copy_(self.updates)

    def cut_gradients(self) -> Tensor:
        """Scale all gradients so that their global norm is at most `clip_norm`. Returns the norm before, equal on all ranks."""
        gradients = [weight.grad for weight in self.weights.values() if weight.grad is not None]
        norm: Any = get_total_norm(gradients)
        norm = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
        clip_grads_with_norm_(self.weights.values(), self.settings.clip_norm, norm)
        return norm

    def update(self, rate: float, leave_out: Tensor) -> None:
        """Step at `rate`; where `leave_out` (on the device) is 1, weights and moments stay as they are. Gradients are freed."""
        self.rate.fill_(rate)
        # What GradScaler tells a fused optimizer of overflows in half precision: decided on the device, no one waits for it.
        self.torch.found_inf = leave_out.to(torch.float32)
        self.torch.step()
        self.torch.zero_grad(set_to_none=True)
