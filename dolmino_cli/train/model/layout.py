"""Where a Hugging Face causal language model keeps its parts; what cannot be trained faithfully is refused here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from dolmino_cli.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The parts of a model that are sharded as units of their own."""

    embedding: nn.Module
    """The input embedding."""
    blocks: tuple[nn.Module, ...]
    """The decoder blocks, first to last."""
    norm: nn.Module | None
    """The norm between the last block and the head; None where it has no weights (the first OLMo's)."""
    head: str
    """Dotted name of the output head within the model: `lm_head` nearly everywhere."""
    tied: bool
    """Does the head use the embedding's weight?"""


def find_layout(hf: Any) -> Layout:
    """The parts of `hf`, a `...ForCausalLM` of transformers on any device (meta as well).

    Raises ConfigError for an architecture whose parts are not where every decoder of transformers has them, or whose attention
    does not go through transformers' attention interface.
    """
    name = type(hf).__name__
    embedding, head = hf.get_input_embeddings(), hf.get_output_embeddings()
    if embedding is None or not isinstance(head, nn.Linear):
        raise ConfigError(f"{name} has no input embedding, or no linear output head; give a causal language model")
    _refuse_other_arithmetic(hf, name)
    blocks = _blocks(hf, name)
    return Layout(
        embedding=embedding,
        blocks=blocks,
        norm=_norm_after(hf, blocks[-1], name),
        head=next(path for path, module in hf.named_modules() if module is head),
        tied=head.weight is embedding.weight,
    )


def _blocks(hf: Any, name: str) -> tuple[nn.Module, ...]:
    layers = getattr(hf.config.get_text_config(), "num_hidden_layers", None)
    # A body may hold further lists (of experts, say), but those are inside the blocks.
    lists = [child for child in hf.base_model.children() if isinstance(child, nn.ModuleList) and len(child) == layers]
    if len(lists) != 1:
        raise ConfigError(f"{name}: its body has {len(lists)} lists of {layers} blocks; dolmino trains models that have one")
    return tuple(lists[0])


def _norm_after(hf: Any, last_block: nn.Module, name: str) -> nn.Module | None:
    """The final norm: the one child of the body besides embedding and blocks that has weights of one dimension only."""
    found = []
    for child in hf.base_model.children():
        weights = list(child.parameters())
        if weights and all(weight.ndim == 1 for weight in weights) and not any(part is last_block for part in child.modules()):
            found.append(child)
    if len(found) > 1:
        raise ConfigError(f"{name}: its body has {len(found)} norms outside its blocks; dolmino trains models that have one")
    return found[0] if found else None


def _refuse_other_arithmetic(hf: Any, name: str) -> None:
    """Attention that attention.py would not compute as the architecture means it, and experts."""
    config = hf.config.get_text_config()
    if not getattr(hf, "_supports_attention_backend", False):
        raise ConfigError(f"{name} does not use transformers' attention interface; give a Llama-, Qwen- or OLMo-like model")
    kinds = set(getattr(config, "layer_types", None) or ()) - {"full_attention", "sliding_attention"}
    if kinds:
        raise ConfigError(
            f"{name}: layer_types has {', '.join(sorted(kinds))}; dolmino trains full_attention and sliding_attention"
        )
    experts = getattr(config, "num_local_experts", None) or getattr(config, "num_experts", None)
    if experts:
        raise ConfigError(f"{name} has {experts} experts, whose balancing loss dolmino does not compute; give a dense model")
    softcap = getattr(config, "attn_logit_softcapping", None)
    if softcap is not None:
        raise ConfigError(
            f"{name}: attn_logit_softcapping is {softcap}, which no fast attention computes; dolmino trains without it"
        )
