"""Checkpoints of two blocks and 512 tokens, with weights so large that every part of the model shows in the loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

VOCABULARY, LENGTH = 512, 40
_SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
# What each has that the others have not: biases, norms on queries and keys, windows, scales and caps on logits, tied weights.
KINDS: dict[str, dict[str, Any]] = {
    "llama": {"rope_theta": 500.0},
    "qwen2": {"tie_word_embeddings": True},
    "qwen3": {"head_dim": 16},
    "olmo2": {},
    "olmo3": {"sliding_window": 8},
    "mistral": {"sliding_window": 8},
    "gemma2": {"head_dim": 16, "attn_logit_softcapping": None, "query_pre_attn_scalar": 16, "sliding_window": 8},
    "gemma3_text": {"head_dim": 16, "sliding_window": 8},
    "cohere": {},
    "granite": {"logits_scaling": 8.0, "embedding_multiplier": 12.0, "residual_multiplier": 0.5},
    "phi": {},
    "gpt2": {},
    "olmo": {"clip_qkv": 8.0},
}


def config(kind: str, **changes: Any) -> Any:
    from transformers import AutoConfig

    return AutoConfig.for_model(kind, **{**_SHAPE, **KINDS.get(kind, {}), **changes})


def save(folder: Path, kind: str, **changes: Any) -> Path:
    """A folder of save_pretrained."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config(kind, **changes))
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    model.save_pretrained(folder)
    return folder


def windows(rows: int = 4) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """ids_RL, counts_RL (some masked), sources_RL of three sources."""
    generator = torch.Generator().manual_seed(1)
    ids_RL = torch.randint(VOCABULARY, (rows, LENGTH), generator=generator)
    counts_RL = torch.rand(rows, LENGTH, generator=generator) < 0.7
    counts_RL[:, 0] = False
    return ids_RL, counts_RL, torch.randint(3, (rows, LENGTH), generator=generator)


def plain_sums(logits_RLV: torch.Tensor, ids_RL: torch.Tensor, counts_RL: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy and squared log-sum-exp, summed over what counts, as one writes them down."""
    logits = logits_RLV[:, :-1].float()
    lse = logits.logsumexp(-1)
    ce = lse - logits.gather(-1, ids_RL[:, 1:, None]).squeeze(-1)
    return (ce * counts_RL[:, 1:]).sum(), (lse**2 * counts_RL[:, 1:]).sum()
