"""Loss and gradients of a built model are those of transformers' own model of the same folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dolmino_cli.train.model.checkpoint import open_checkpoint
from dolmino_cli.train.model.weights_in import fill, fill_random, named_weights
from tests.train.model import tiny


@pytest.mark.parametrize("kind", sorted(tiny.KINDS))
def test_loss_and_gradients_are_those_of_transformers(kind: str, tmp_path: Path, build_tiny: Callable[..., Any]) -> None:
    from transformers import AutoModelForCausalLM

    checkpoint = open_checkpoint(str(tiny.save(tmp_path / kind, kind)))
    reference = AutoModelForCausalLM.from_pretrained(checkpoint.folder, attn_implementation="eager").eval()
    # Which would keep the padding token's embedding as it is; the tiny ones' is 0.
    reference.get_input_embeddings().padding_idx = None
    model = build_tiny(checkpoint.config)
    fill(model, checkpoint)
    ids_RL, counts_RL, sources_RL = tiny.windows()
    ids_RL[1, 5:9] = 0

    sums = model(ids_RL, counts_RL, sources_RL, None, z_loss=1e-3, scale=1 / 100, sources=3)
    sums.loss.backward()
    ce, z = tiny.plain_sums(reference(ids_RL).logits, ids_RL, counts_RL)
    ((ce + 1e-3 * z) / 100).backward()

    assert sums.ce.item() == pytest.approx(ce.item(), rel=1e-6)
    assert sums.z.item() == pytest.approx(z.item(), rel=1e-6)
    expected = {name: weight.grad for name, weight in reference.named_parameters()}
    found = {name: weight.grad.full_tensor() for name, weight in named_weights(model)}
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        assert (gradient - expected[name]).norm() <= 1e-5 * expected[name].norm() + 1e-7, name


def test_sums_by_source(tmp_path: Path, build_tiny: Callable[..., Any]) -> None:
    """A target belongs to the source of its own token, not of the token before it."""
    checkpoint = open_checkpoint(str(tiny.save(tmp_path / "llama", "llama")))
    model = build_tiny(checkpoint.config)
    fill(model, checkpoint)
    ids_RL, counts_RL, sources_RL = tiny.windows()
    whole = model(ids_RL, counts_RL, sources_RL, None, z_loss=0.0, scale=1.0, sources=4)
    assert whole.counted_S.tolist() == [int((counts_RL & (sources_RL == source)).sum()) for source in range(4)]
    for source in range(4):
        alone = model(ids_RL, counts_RL & (sources_RL == source), sources_RL, None, z_loss=0.0, scale=1.0, sources=4)
        assert whole.ce_S[source].item() == pytest.approx(alone.ce.item(), rel=1e-6)


def test_blocks_are_compiled_once(monkeypatch: pytest.MonkeyPatch, build_tiny: Callable[..., Any]) -> None:
    """One graph for all blocks of a kind and one for the loss, none of them broken; the numbers stay."""
    from torch._dynamo.utils import counters

    from dolmino_cli.train.model import build

    compile_it = torch.compile
    ids_RL, counts_RL, sources_RL = tiny.windows()
    gradients = []
    for compiled in (False, True):
        monkeypatch.setattr(build, "compiles", lambda device, compiled=compiled: compiled)
        # All but the last stage, which makes code for the device.
        monkeypatch.setattr(torch, "compile", lambda function: compile_it(function, backend="aot_eager"))
        torch._dynamo.reset()
        counters.clear()
        model = build_tiny(tiny.config("olmo2", num_hidden_layers=4), activation_checkpointing="selective")
        fill_random(model, 1)
        model(ids_RL, counts_RL, sources_RL, None, z_loss=1e-3, scale=0.01, sources=3).loss.backward()
        gradients.append([weight.grad.full_tensor() for weight in model.hf.parameters()])
        assert counters["stats"]["unique_graphs"] == (2 if compiled else 0)
        assert not counters["graph_break"]
    assert all(torch.allclose(*pair, rtol=1e-5, atol=1e-7) for pair in zip(*gradients, strict=True))
