"""Head, cross-entropy and z-loss over a few thousand tokens at a time: the logits of a micro-batch never exist at once.

The gradients of hidden states and weight are computed in the forward pass, while a chunk's logits are at hand, so that no logits
are kept or computed twice. 512 windows of 4,096 tokens over 100,352 logits would be 842 GB in fp32; a chunk of 4,096 is 1.6 GB.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dolmino_cli.train.model.head_form import HeadForm


def loss_and_gradient(
    logits_CV: Tensor, targets_C: Tensor, counts_C: Tensor, z_loss: float, scale: Tensor, form: HeadForm
) -> tuple[Tensor, Tensor, Tensor]:
    """Per token: cross-entropy and squared log-sum-exp (0 where it does not count); and the gradient of
    scale x sum(ce + z_loss x z) for `logits_CV`, in their type. In fp32 inside.

    d ce / d logits = p - onehot; d lse² / d logits = 2 lse p.
    """
    x_CV = logits_CV.float() * form.scale
    if form.softcap is not None:
        x_CV = form.softcap * torch.tanh(x_CV / form.softcap)
    lse_C = torch.logsumexp(x_CV, dim=1)
    ce_C = (lse_C - x_CV.gather(1, targets_C[:, None]).squeeze(1)) * counts_C
    weight_C = counts_C * scale
    p_CV = torch.exp(x_CV - lse_C[:, None])
    gradient_CV = p_CV * (weight_C * (1 + 2 * z_loss * lse_C))[:, None]
    # Not scatter_add_: this compiles into the same pass over the chunk as everything else.
    is_target_CV = torch.arange(x_CV.shape[1], device=x_CV.device)[None] == targets_C[:, None]
    gradient_CV = gradient_CV - is_target_CV * weight_C[:, None]
    if form.softcap is not None:
        gradient_CV = gradient_CV * (1 - (x_CV / form.softcap) ** 2)
    return ce_C, lse_C.square() * counts_C, (gradient_CV * form.scale).to(logits_CV.dtype)


class ChunkedLoss(torch.autograd.Function):  # type: ignore[misc]
    """(loss, ce_T, z_T) of T tokens: `loss` = scale x sum(ce_T + z_loss x z_T), the only differentiable one."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden_TD: Tensor,
        weight_VD: Tensor,
        bias_V: Tensor | None,
        targets_T: Tensor,
        counts_T: Tensor,
        z_loss: float,
        scale: Tensor,
        form: HeadForm,
        chunk_tokens: int,
        inner: Any,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`counts_T` is fp32, 1 or 0; `scale` an fp32 scalar; `inner` is loss_and_gradient, compiled or not."""
        train = any(ctx.needs_input_grad[:3])
        ce_T = torch.empty_like(counts_T)
        z_T = torch.empty_like(counts_T)
        hidden_gradient_TD = torch.empty_like(hidden_TD) if train else None
        # Summed over chunks in fp32: in bf16 the 100th chunk of a sum is rounded to the sum's last bit.
        weight_gradient_VD = torch.zeros_like(weight_VD, dtype=torch.float32) if train else None
        bias_gradient_V = torch.zeros_like(bias_V, dtype=torch.float32) if train and bias_V is not None else None
        for start in range(0, hidden_TD.shape[0], chunk_tokens):
            part = slice(start, start + chunk_tokens)
            hidden_CD = hidden_TD[part]
            logits_CV = torch.nn.functional.linear(hidden_CD, weight_VD, bias_V)
            ce_T[part], z_T[part], gradient_CV = inner(logits_CV, targets_T[part], counts_T[part], z_loss, scale, form)
            del logits_CV
            if hidden_gradient_TD is not None and weight_gradient_VD is not None:
                torch.mm(gradient_CV, weight_VD, out=hidden_gradient_TD[part])
                weight_gradient_VD += gradient_CV.t() @ hidden_CD
            if bias_gradient_V is not None:
                bias_gradient_V += gradient_CV.sum(0, dtype=torch.float32)
            del gradient_CV
        ctx.save_for_backward(hidden_gradient_TD, weight_gradient_VD, bias_gradient_V)
        ctx.dtype = weight_VD.dtype
        ctx.mark_non_differentiable(ce_T, z_T)
        loss = (ce_T.sum() + z_loss * z_T.sum()) * scale
        return loss, ce_T, z_T

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, loss_gradient: Tensor, *_: Tensor) -> tuple[Any, ...]:
        """The kept gradients times `loss_gradient`, which is 1 when the loss is what backward() is called on."""
        hidden_gradient_TD, weight_gradient_VD, bias_gradient_V = ctx.saved_tensors

        def times(kept: Tensor | None, dtype: torch.dtype) -> Tensor | None:
            # One pass over the memory for the product and the cast.
            return None if kept is None else torch.mul(kept, loss_gradient, out=torch.empty_like(kept, dtype=dtype))

        hidden = times(hidden_gradient_TD, hidden_gradient_TD.dtype)
        return hidden, times(weight_gradient_VD, ctx.dtype), times(bias_gradient_V, ctx.dtype), *[None] * 7
