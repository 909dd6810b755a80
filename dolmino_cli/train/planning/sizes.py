"""What a config.json says of a model's size: parameters and arithmetic per token, counted without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class _Family:
    """What models of one `model_type` have besides their projections: norms of the width per layer, norms of queries and keys,
    biases of the three input projections unless the config says otherwise, tied embeddings unless it says otherwise."""

    norms: int = 2
    qk_norm: str = "none"
    qkv_bias: bool = False
    tied: bool = False


_FAMILIES = {
    "llama": _Family(),
    "mistral": _Family(),
    "granite": _Family(),
    "qwen2": _Family(qkv_bias=True),
    "qwen3": _Family(qk_norm="head"),
    "olmo": _Family(norms=0),
    "olmo2": _Family(qk_norm="width"),
    "olmo3": _Family(qk_norm="width"),
    "gemma2": _Family(norms=4, tied=True),
    "gemma3_text": _Family(norms=4, qk_norm="head", tied=True),
}
_DIMENSIONS = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size")


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """A dense decoder's dimensions and parameter counts. `of_config` makes it, or None for a family it does not know."""

    width: int
    inner: int
    layers: int
    query_width: int
    key_value_width: int
    vocabulary: int
    positions: int | None
    """`max_position_embeddings`: the longest sequence that the model was made for."""
    tied: bool
    block_parameters: int
    """Of one layer."""
    windows: tuple[int | None, ...]
    """Per layer the tokens that sliding attention reaches back; None: all."""
    final_norm: bool = True

    @property
    def embedding_parameters(self) -> int:
        """Of the input embedding; the head has as many, the same ones where they are tied."""
        return self.vocabulary * self.width

    @property
    def parameters(self) -> int:
        """All of them, tied ones once."""
        return self.matmul_parameters + (0 if self.tied else self.embedding_parameters)

    @property
    def matmul_parameters(self) -> int:
        """Those that every token is multiplied with: all but the input embedding (norms, which weigh nothing, included)."""
        return self.layers * self.block_parameters + self.embedding_parameters + (self.width if self.final_norm else 0)

    def flops_per_token(self, sequence_length: int, *, attention: str = "full") -> float:
        """Forward and backward of one token, in floating-point operations; recomputed activations count nothing.

        6 per parameter that it is multiplied with, and the attention scores: 12 x query width x tokens attended to, per layer.
        `full` counts all tokens of the window, as the PaLM paper's appendix B does; `causal` half of them, what is needed.
        """
        reached = sum(min(sequence_length, window or sequence_length) for window in self.windows)
        scores = 12 * self.query_width * reached
        return 6 * self.matmul_parameters + (scores if attention == "full" else scores / 2)


def sizes_of(config: Mapping[str, Any]) -> Sizes | None:
    """The sizes of the model that a config.json describes; None where its `model_type` is not one that is counted here, or
    where it leaves dimensions to transformers' defaults."""
    family = _FAMILIES.get(str(config.get("model_type")))
    dimensions = [config.get(key) for key in _DIMENSIONS]
    if family is None or not all(isinstance(size, int) and size > 0 for size in dimensions):
        return None
    width, inner, layers, heads, vocabulary = (int(size) for size in dimensions if size is not None)
    head_width = int(config.get("head_dim") or width // heads)
    queries, keys = heads * head_width, int(config.get("num_key_value_heads") or heads) * head_width
    block = 2 * width * (queries + keys) + 3 * width * inner + family.norms * width
    if config.get("attention_bias", family.qkv_bias):
        # Qwen2's output projection has none.
        block += queries + 2 * keys + (0 if family.qkv_bias else width)
    if config.get("mlp_bias"):
        block += 2 * inner + width
    block += {"none": 0, "head": 2 * head_width, "width": queries + keys}[family.qk_norm]
    return Sizes(
        width=width,
        inner=inner,
        layers=layers,
        query_width=queries,
        key_value_width=keys,
        vocabulary=vocabulary,
        positions=config.get("max_position_embeddings"),
        tied=bool(config.get("tie_word_embeddings", family.tied)),
        block_parameters=block,
        windows=_windows(config, layers),
        final_norm=family.norms > 0,
    )


def _windows(config: Mapping[str, Any], layers: int) -> tuple[int | None, ...]:
    window = config.get("sliding_window")
    kinds = config.get("layer_types")
    if window is None or (kinds is None and config.get("model_type") != "mistral"):
        return (None,) * layers
    return tuple(window if kinds is None or kind == "sliding_attention" else None for kind in kinds or [""] * layers)
