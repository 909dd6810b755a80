"""What a model does between its last hidden states and its logits, found by running it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dolmino_cli.errors import ConfigError

_PROBE_TOKENS, _PROBE_LOGITS = 16, 8


@dataclass(frozen=True, kw_only=True)
class HeadForm:
    """logits = softcap(scale x (hidden W' + bias)), where softcap(x) = cap x tanh(x / cap)."""

    scale: float = 1.0
    softcap: float | None = None


class _KnownBody(nn.Module):  # type: ignore[misc]
    """Stands in for the body of a model; its hidden states are given."""

    def __init__(self, hidden_1TD: Tensor) -> None:
        super().__init__()
        self.hidden_1TD = hidden_1TD

    def forward(self, *_: Any, **__: Any) -> Any:
        from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

        return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=self.hidden_1TD)


def find_head_form(hf: Any, head: str) -> HeadForm:
    """Runs the forward pass of `hf` (on meta) with a body of known hidden states and a small head, and sees what comes out.

    So a scale (Cohere's, Granite's) and a cap (Gemma's) are found whatever an architecture calls them, and anything else is
    refused with a ConfigError instead of being left out.
    """
    name, width = type(hf).__name__, hf.get_submodule(head).in_features
    generator = torch.Generator().manual_seed(0)
    hidden_1TD = torch.randn(1, _PROBE_TOKENS, width, generator=generator, dtype=torch.float64)
    small = nn.Linear(width, _PROBE_LOGITS, bias=False, dtype=torch.float64, device="cpu")
    with torch.no_grad():
        # Logits of some 30: a cap, commonly 30 or 50, then shows.
        small.weight.copy_(torch.randn(small.weight.shape, generator=generator, dtype=torch.float64) * 30 / width**0.5)
        plain = small(hidden_1TD)
        got = _run(hf, head, _KnownBody(hidden_1TD), small, name)
    cap = getattr(hf.config.get_text_config(), "final_logit_softcapping", None)
    if got.shape == plain.shape:
        scale = ((got * plain).sum() / (plain * plain).sum()).item()
        if _same(got, plain):
            return HeadForm()
        if cap and _same(got, cap * torch.tanh(plain / cap)):
            return HeadForm(softcap=float(cap))
        if _same(got, scale * plain):
            return HeadForm(scale=scale)
    raise ConfigError(
        f"{name}: its logits are not a linear function of its hidden states, nor a scaled or capped one{_suspects(hf)}"
    )


def _same(got: Tensor, expected: Tensor) -> bool:
    return bool(torch.allclose(got, expected, rtol=1e-5, atol=1e-4))


def _run(hf: Any, head: str, body: nn.Module, small: nn.Module, name: str) -> Tensor:
    parts = {hf.base_model_prefix: body, head: small}
    kept = {path: hf.get_submodule(path) for path in parts}
    try:
        for path, module in parts.items():
            hf.set_submodule(path, module)
        ids = torch.zeros(1, _PROBE_TOKENS, dtype=torch.long)
        logits: Tensor = hf(input_ids=ids, use_cache=False).logits
        return logits.double()
    except Exception as error:  # noqa: BLE001 — an architecture's own code may raise anything; all of it means "not this model".
        raise ConfigError(f"{name}: how it computes its logits cannot be told ({error}); dolmino does not train it") from None
    finally:
        for path, module in kept.items():
            hf.set_submodule(path, module)


def _suspects(hf: Any) -> str:
    config = hf.config.get_text_config().to_dict()
    fields = [f"{key}: {value}" for key, value in config.items() if ("logit" in key or "head_mult" in key) and value is not None]
    return f" (its config has {', '.join(fields)})" if fields else ""
