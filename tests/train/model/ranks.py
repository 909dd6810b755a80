"""What every rank of test_parallel does, in processes that were forked from one that has imported torch and transformers."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed.fsdp
from torch import distributed
from transformers.models.olmo2 import modeling_olmo2  # noqa: F401 — the server imports this file once, with all that takes long.
from transformers.models.qwen2 import modeling_qwen2  # noqa: F401

from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.train.model.build import build
from dolmino_cli.train.model.checkpoint import open_checkpoint
from dolmino_cli.train.model.export import export
from dolmino_cli.train.model.parallel import make_mesh
from dolmino_cli.train.model.weights_in import fill, fill_random, named_weights
from dolmino_cli.train.run_file import Hardware
from tests.train.model import tiny


def launch(world: int, replicas: int, folder: Path, checkpoints: dict[str, Path]) -> Any:
    """Gradients and more of `world` ranks, from rank 0; the folder is for what they write."""
    folder.mkdir()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.train.model.ranks"])
    ranks = [context.Process(target=work, args=(rank, world, replicas, folder, checkpoints)) for rank in range(world)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(600)
        assert rank.exitcode == 0
    return torch.load(folder / "found.pt", weights_only=True)


def work(rank: int, world: int, replicas: int, folder: Path, checkpoints: dict[str, Path]) -> None:
    """For each checkpoint: fill, one forward and backward pass over this rank's windows, export; and random weights."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world)
    hardware = Hardware(precision="fp32", head_chunk_tokens=16, replicas=replicas, activation_checkpointing="selective")
    mesh = make_mesh(hardware, "cpu", world)
    found: dict[str, Any] = {}
    for kind, path in checkpoints.items():
        checkpoint = open_checkpoint(str(path))
        model = build(checkpoint.config, hardware=hardware, mesh=mesh, device=torch.device("cpu"))
        fill_random(model, 5)
        found[f"{kind} random"] = {name: weight.detach().full_tensor().clone() for name, weight in named_weights(model)}
        fill(model, checkpoint)
        ids_RL, counts_RL, sources_RL = (part[rank::world] for part in tiny.windows())
        # FSDP averages over ranks: each divides by its share of the denominator.
        sums = model(ids_RL, counts_RL, sources_RL, None, z_loss=1e-3, scale=world / 100, sources=3)
        sums.loss.backward()
        distributed.all_reduce(sums.ce)
        found[f"{kind} ce"] = sums.ce
        found[f"{kind} gradients"] = {name: weight.grad.full_tensor() for name, weight in named_weights(model)}
        found[f"{kind} own"] = sum(weight.to_local().numel() for weight in model.parameters())
        export(model, folder / f"{kind}-out", checkpoint=checkpoint, dtype="fp32")
        # Refused on every rank, not on rank 0 alone: work() would fail, or wait for ever.
        with pytest.raises(ConfigError, match="exists already"):
            export(model, folder / f"{kind}-out", checkpoint=checkpoint, dtype="fp32")
        # What rank 0 cannot write fails on every rank as well, after all have gathered everything.
        with pytest.raises(StorageError, match="could not be exported"):
            export(model, folder / "store" / "out", checkpoint=checkpoint, dtype="fp32")
    if rank == 0:
        torch.save(found, folder / "found.pt")
    distributed.destroy_process_group()
