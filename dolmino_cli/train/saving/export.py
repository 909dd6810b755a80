"""A checkpoint of a run as a Hugging Face checkpoint, by one process without a GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

from dolmino_cli.train.model.build import build
from dolmino_cli.train.model.export import export
from dolmino_cli.train.model.parallel import make_mesh
from dolmino_cli.train.ranks import joined_ranks
from dolmino_cli.train.run_file import Hardware
from dolmino_cli.train.saving.checkpoints import Checkpoint
from dolmino_cli.train.saving.origin import read_origin
from dolmino_cli.train.saving.tensors import load_weights, trained_weights


def export_checkpoint(checkpoint: Checkpoint, folder: Path, *, dtype: Literal["bf16", "fp32"]) -> None:
    """Write the weights after `checkpoint.step` to `folder`, which must not exist. Holds them once, in fp32.

    Raises ConfigError, DataError, StorageError.
    """
    origin = read_origin(checkpoint.folder, checkpoint.state().model)
    host, hardware = torch.device("cpu"), Hardware(compile=False)
    with joined_ranks(timeout_seconds=3600) as ranks:
        model = build(origin.config, hardware=hardware, mesh=make_mesh(hardware, host.type, 1), device=host)
        load_weights(checkpoint.folder, trained_weights(model), ranks)
        export(model, folder, checkpoint=origin, dtype=dtype)
