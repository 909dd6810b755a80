"""What cannot be trained faithfully, or is no whole checkpoint, is refused in one line that names it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from dolmino_cli.errors import ConfigError, DataError, DolminoError
from dolmino_cli.train.model.build import on_meta
from dolmino_cli.train.model.checkpoint import open_checkpoint
from dolmino_cli.train.model.head_form import HeadForm, find_head_form
from dolmino_cli.train.model.layout import find_layout
from dolmino_cli.train.model.weights_in import fill
from tests.train.model import tiny


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("llama", HeadForm()),
        ("gemma2", HeadForm(softcap=30.0)),
        ("cohere", HeadForm(scale=0.0625)),
        ("granite", HeadForm(scale=0.125)),
    ],
)
def test_the_form_of_a_head_is_found(kind: str, form: HeadForm) -> None:
    hf = on_meta(tiny.config(kind))
    found = find_head_form(hf, find_layout(hf).head)
    assert found.softcap == form.softcap
    assert found.scale == pytest.approx(form.scale, rel=1e-6)


def test_another_head_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    hf = on_meta(tiny.config("llama"))
    forward = type(hf).forward

    def shifted(self: Any, **inputs: Any) -> Any:
        output = forward(self, **inputs)
        output.logits = output.logits + 1
        return output

    monkeypatch.setattr(type(hf), "forward", shifted)
    with pytest.raises(ConfigError, match="not a linear function of its hidden states"):
        find_head_form(hf, "lm_head")


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        ("gemma2", {"attn_logit_softcapping": 50.0}, "attn_logit_softcapping is 50.0"),
        ("mixtral", {}, "experts"),
        ("stablelm", {}, "attention interface"),
        ("llama4_text", {"intermediate_size_mlp": 96, "num_local_experts": 2}, "chunked_attention"),
    ],
)
def test_architectures(kind: str, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        find_layout(on_meta(tiny.config(kind, **changes)))


def test_no_language_model() -> None:
    with pytest.raises(ConfigError, match="builds no causal language model of a vit"):
        on_meta(tiny.config("vit"))


def without(folder: Path, name: str) -> None:
    (folder / name).unlink()


def rewritten(folder: Path, name: str, **fields: Any) -> None:
    path = folder / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def index_of_two(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "1.safetensors"}}))


@pytest.mark.parametrize(
    ("damage", "kind", "words"),
    [
        (lambda folder: without(folder, "config.json"), ConfigError, "holds no config.json"),
        (lambda folder: without(folder, "model.safetensors"), ConfigError, "neither model.safetensors nor"),
        (lambda folder: rewritten(folder, "config.json", model_type="other"), ConfigError, "does not accept its config.json"),
        (lambda folder: rewritten(folder, "config.json", quantization_config={}), ConfigError, "quantized"),
        (lambda folder: (folder / "config.json").write_text("{"), DataError, "config.json: it is not JSON"),
        (index_of_two, ConfigError, "names 1.safetensors, which is not there"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"pickle"), DataError, "it is no safetensors file"),
    ],
)
def test_folders(damage: Callable[[Path], None], kind: type[DolminoError], words: str, tmp_path: Path) -> None:
    folder = tiny.save(tmp_path / "llama", "llama")
    damage(folder)
    with pytest.raises(kind, match=words) as raised:
        open_checkpoint(str(folder))
    assert "\n" not in str(raised.value)


def test_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no checkpoint at"):
        open_checkpoint(str(tmp_path / "nowhere"))


def weights_with(folder: Path, **changes: torch.Tensor | None) -> None:
    weights = {**load_file(folder / "model.safetensors"), **changes}
    save_file({name: weight for name, weight in weights.items() if weight is not None}, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        (
            "llama",
            {"model.norm.weight": None, "lm_head.weight": None},
            r"lacks lm_head.weight and 1 more, for a LlamaForCausalLM",
        ),
        ("llama", {"model.layers.2.mlp.up_proj.weight": torch.ones(1)}, "has besides model.layers.2.mlp.up_proj.weight"),
        ("llama", {"model.norm.weight": torch.ones(65)}, r"model.norm.weight is \(65,\); its config asks for \(64,\)"),
        ("qwen2", {"lm_head.weight": torch.ones(512, 64)}, "lm_head.weight is not the embedding"),
    ],
)
def test_weights(
    kind: str, changes: dict[str, torch.Tensor | None], words: str, tmp_path: Path, build_tiny: Callable[..., Any]
) -> None:
    folder = tiny.save(tmp_path / kind, kind)
    weights_with(folder, **changes)
    checkpoint = open_checkpoint(str(folder))
    with pytest.raises(ConfigError, match=words):
        fill(build_tiny(checkpoint.config), checkpoint)


def test_old_and_doubled_tensors_are_no_error(tmp_path: Path, build_tiny: Callable[..., Any]) -> None:
    """Rotary frequencies that old checkpoints hold, and a tied head that is written out."""
    folder = tiny.save(tmp_path / "qwen2", "qwen2")
    embedding = load_file(folder / "model.safetensors")["model.embed_tokens.weight"]
    weights_with(folder, **{"lm_head.weight": embedding.clone(), "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8)})
    checkpoint = open_checkpoint(str(folder))
    model = build_tiny(checkpoint.config)
    fill(model, checkpoint)
    assert torch.equal(model.layout.embedding.weight.full_tensor(), embedding)
