"""The models of OLMo 2 and of LLM-jp's reproduction, as the Hugging Face configurations that have their shape."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from dolmino_cli.errors import ConfigError, MissingExtra


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A model without its weights: `model_type` and `fields` are those of a Hugging Face config.json."""

    model_type: str
    fields: dict[str, Any]
    reference: str

    def config_json(self) -> dict[str, Any]:
        """The entries of the config.json that decide the model."""
        return {"model_type": self.model_type, **self.fields}


def _olmo2(width: int, inner: int, layers: int, heads: int, kv_heads: int, reference: str) -> Shape:
    """Grouped-query attention where `kv_heads` is below `heads`; all else is equal in the four sizes.

    The vocabulary is padded: dolma2 has 100,278 ids, the matrices 100,352 rows.
    """
    fields = {
        "vocab_size": 100_352,
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500_000.0},
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "eos_token_id": 100_257,
        "pad_token_id": 100_277,
    }
    return Shape(model_type="olmo2", fields=fields, reference=reference)


def _llm_jp(width: int, inner: int, layers: int, heads: int, reference: str) -> Shape:
    """Llama with 8 key-value heads. 99,584 rows are those of the LLM-jp-3 models' vocabulary; the scripts do not say."""
    fields = {
        "vocab_size": 99_584,
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": 8,
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500_000.0},
        "tie_word_embeddings": False,
    }
    return Shape(model_type="llama", fields=fields, reference=reference)


_TABLE_3 = "OLMo 2 paper, Table 3"
_LLM_JP = "llm-jp/scripts, pretrain/scripts/v4-midtraining/midtrain/params"
SHAPES: dict[str, Shape] = {
    "olmo2-1b": _olmo2(2048, 8192, 16, 16, 16, "allenai/OLMo, configs/official-0425/OLMo2-1B-stage1.yaml (not in Table 3)"),
    "olmo2-7b": _olmo2(4096, 11_008, 32, 32, 32, _TABLE_3),
    "olmo2-13b": _olmo2(5120, 13_824, 40, 40, 40, _TABLE_3),
    "olmo2-32b": _olmo2(5120, 27_648, 64, 40, 8, f"{_TABLE_3}; OLMo-core, olmo2_32B"),
    "llm-jp-1.3b": _llm_jp(2048, 7168, 16, 16, f"{_LLM_JP}/1.3b-llama3-ecjk.sh"),
    "llm-jp-7.7b": _llm_jp(4096, 14_336, 32, 32, f"{_LLM_JP}/7.7b-llama3-ecjk.sh"),
    "tiny": Shape(
        model_type="olmo2",
        fields={**_olmo2(128, 256, 2, 4, 4, "").fields, "max_position_embeddings": 4096},
        reference="for trying things out on a CPU; dolma2's vocabulary, so that any OLMo 2 mix fits",
    ),
}


def shape(name: str) -> Shape:
    """The shape of that name. Raises ConfigError, listing the names."""
    if name in SHAPES:
        return SHAPES[name]
    near = difflib.get_close_matches(name, SHAPES, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ConfigError(f"no shape {name!r}; {hint}shapes: {', '.join(SHAPES)}; any other model is given as a checkpoint")


def config_of(name: str) -> Any:
    """The transformers configuration object of a shape. Raises ConfigError, MissingExtra."""
    wanted = shape(name)
    try:
        from transformers import AutoConfig
    except ImportError:
        raise MissingExtra("transformers", extra="train", needed_for="building a model") from None
    return AutoConfig.for_model(wanted.model_type, **wanted.fields)


def unlike(name: str, config: dict[str, Any]) -> list[str]:
    """Where a config.json is of another shape than `name`, one phrase each; the vocabulary's padding and ids do not count."""
    wanted = shape(name)
    found = (
        [f"model_type is {config.get('model_type')!r}, not {wanted.model_type!r}"]
        if (config.get("model_type") != wanted.model_type)
        else []
    )
    sizes = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
    given = {"num_key_value_heads": config.get("num_attention_heads"), **config}
    return found + [
        f"{key} is {given.get(key)}, not {wanted.fields[key]}" for key in sizes if given.get(key) != wanted.fields[key]
    ]
