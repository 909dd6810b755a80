"""Any number of ranks, sharded or replicated, tied weights or not: the weights, loss, gradients and export of one rank."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dolmino_cli.errors import ConfigError
from dolmino_cli.train.model.parallel import make_mesh
from dolmino_cli.train.run_file import Hardware
from tests.train.model import ranks, tiny


def test_ranks_agree_with_one(tmp_path: Path) -> None:
    # 513 tokens: the ranks' shards are of different sizes.
    kinds = {kind: tiny.save(tmp_path / kind, kind, vocab_size=513) for kind in ("olmo2", "qwen2")}
    one, two, copies = (
        ranks.launch(world, replicas, tmp_path / f"{world}x{replicas}", kinds) for world, replicas in ((1, 1), (2, 1), (4, 2))
    )
    for found, shards, world in ((two, 2, 2), (copies, 2, 4)):
        for kind, path in kinds.items():
            assert found[f"{kind} ce"].item() == pytest.approx(one[f"{kind} ce"].item(), rel=1e-6)
            assert found[f"{kind} own"] == pytest.approx(one[f"{kind} own"] / shards, rel=0.01)
            for name, right in one[f"{kind} random"].items():
                assert torch.equal(found[f"{kind} random"][name], right), name
            for name, right in one[f"{kind} gradients"].items():
                assert torch.allclose(found[f"{kind} gradients"][name], right, rtol=1e-4, atol=1e-6), name
            exported = load_file(tmp_path / f"{world}x{world // shards}" / f"{kind}-out" / "model.safetensors")
            expected = load_file(path / "model.safetensors")
            assert exported.keys() == expected.keys()
            assert all(torch.equal(exported[name], expected[name]) for name in expected)


def test_replicas_must_divide() -> None:
    with pytest.raises(ConfigError, match="replicas is 3; it must divide the number of GPUs, 8"):
        make_mesh(Hardware(replicas=3), "cpu", 8)
