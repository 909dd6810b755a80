"""Recomputing and document masking: the same numbers with less memory; no token sees another document."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dolmino_cli.train.model.checkpoint import open_checkpoint
from dolmino_cli.train.model.weights_in import fill, fill_random
from tests.train.model import tiny


def test_identical_gradients_with_less_kept(build_tiny: Callable[..., Any]) -> None:
    ids_RL, counts_RL, sources_RL = tiny.windows()
    gradients, kept = {}, {}
    for how in ("none", "selective", "full"):
        model = build_tiny(tiny.config("olmo2"), activation_checkpointing=how)
        fill_random(model, 3)
        sizes = 0

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal sizes
            sizes += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            sums = model(ids_RL, counts_RL, sources_RL, None, z_loss=1e-3, scale=0.01, sources=3)
        sums.loss.backward()
        gradients[how] = [weight.grad.full_tensor() for weight in model.hf.parameters()]
        kept[how] = sizes
    for how in ("selective", "full"):
        assert all(torch.equal(found, right) for found, right in zip(gradients[how], gradients["none"], strict=True)), how
    assert kept["full"] < kept["none"]


@pytest.mark.parametrize("kind", ["olmo2", "olmo3", "llama"])
def test_a_document_is_seen_alone(kind: str, tmp_path: Path, build_tiny: Callable[..., Any]) -> None:
    """In a window of documents of 10, 1 and 29 tokens, the last one's loss is that of the document on its own."""
    checkpoint = open_checkpoint(str(tiny.save(tmp_path / kind, kind)))
    model = build_tiny(checkpoint.config)
    fill(model, checkpoint)
    ids_RL, _, sources_RL = tiny.windows(rows=2)
    positions_RL = torch.cat([torch.arange(10), torch.arange(1), torch.arange(29)]).expand(2, -1)
    last = torch.zeros(2, tiny.LENGTH, dtype=torch.bool)
    last[:, 12:] = True

    def ce(ids: torch.Tensor, counts: torch.Tensor, positions: torch.Tensor | None) -> float:
        found: float = model(ids, counts, sources_RL[:, : ids.shape[1]], positions, z_loss=0.0, scale=1.0, sources=3).ce.item()
        return found

    alone = ce(ids_RL[:, 11:], last[:, 11:], None)
    assert ce(ids_RL, last, positions_RL) == pytest.approx(alone, rel=1e-6)
    assert ce(ids_RL, last, None) != pytest.approx(alone, rel=1e-4)
