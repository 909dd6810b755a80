"""The output head of a model in training: hidden states in, sums of the loss out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dolmino_cli.train.model.chunked_loss import ChunkedLoss, loss_and_gradient
from dolmino_cli.train.model.head_form import HeadForm


class Head(nn.Module):  # type: ignore[misc]
    """Takes the place of a model's output layer, with its weights and under its name: the keys of a state dict stay."""

    def __init__(self, linear: Any, form: HeadForm, chunk_tokens: int, *, compile: bool) -> None:
        super().__init__()
        self.weight = linear.weight
        self.bias = getattr(linear, "bias", None)
        self.form, self.chunk_tokens = form, chunk_tokens
        self.inner = torch.compile(loss_and_gradient) if compile else loss_and_gradient

    def forward(
        self,
        hidden_TD: Tensor,
        targets_T: Tensor,
        counts_T: Tensor,
        sources_T: Tensor,
        *,
        z_loss: float,
        scale: Tensor | float,
        sources: int,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """loss, ce, z, ce_S and counted_S of LossSums. Tuples, since FSDP looks for tensors in what a module returns."""
        counts_T = counts_T.float()
        if not isinstance(scale, Tensor):
            # Filled on the device: a copy from the host would wait for the GPU.
            scale = torch.full((), scale, device=hidden_TD.device)
        loss, ce_T, z_T = ChunkedLoss.apply(
            hidden_TD, self.weight, self.bias, targets_T, counts_T, z_loss, scale, self.form, self.chunk_tokens, self.inner
        )
        # Sums of products instead of index_add_, whose order of summation on a GPU, and so its last bits, change from run to run.
        of_source_ST = (sources_T[None] == torch.arange(sources, device=sources_T.device)[:, None]).float()
        return loss, ce_T.sum(), z_T.sum(), (of_source_ST * ce_T).sum(1), (of_source_ST * counts_T).sum(1)
