"""A tiny model and a run of it on a tiny mix."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from dolmino_cli.train.learning_rate import LearningRate
from dolmino_cli.train.run_file import Hardware, Loss, Optimizer, Run, Saving, Watch

STEPS = 50


def save_tiny(folder: Path) -> Path:
    """An untied Olmo2 of 128 ids, as save_pretrained writes it."""
    import torch
    from transformers import Olmo2Config, Olmo2ForCausalLM

    torch.manual_seed(3)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    # Weights as large as this make the z term and the decay of the embedding seen within 50 steps.
    config = Olmo2Config(vocab_size=128, max_position_embeddings=128, initializer_range=0.2, pad_token_id=None, **sizes)
    Olmo2ForCausalLM(config).save_pretrained(folder)
    return folder


def tiny_run(mix: Path, checkpoint: Path, output: Path, *, loss: dict[str, Any] | None = None, **changes: Any) -> Run:
    """50 steps of 8 windows of 64 tokens; `optimizer`, `hardware`, `saving` and `watch` are given as dictionaries too."""
    parts = {"optimizer": Optimizer, "hardware": Hardware, "saving": Saving, "watch": Watch}
    defaults: dict[str, dict[str, Any]] = {
        "hardware": {"precision": "fp32", "compile": False, "head_chunk_tokens": 96},
        "saving": {"export": False},
    }
    made: dict[str, Any] = {name: of(**{**defaults.get(name, {}), **changes.pop(name, {})}) for name, of in parts.items()}
    run = Run(
        name="tiny",
        batch_sequences=8,
        steps=STEPS,
        sequence_length=64,
        learning_rate=LearningRate(start=3e-3),
        seed=7,
        mix=str(mix),
        checkpoint=str(checkpoint),
        output=str(output),
        loss=Loss(**{"z_loss": 1e-3, **(loss or {})}),
        **made,
    )
    return dataclasses.replace(run, **changes)


def step_lines(output: Path) -> list[dict[str, Any]]:
    """metrics/steps.jsonl."""
    return [json.loads(line) for line in (output / "metrics" / "steps.jsonl").read_text().splitlines()]


def train_all(runs: list[Run]) -> None:
    """One rank's work: one run after the other, in one process group."""
    from dolmino_cli.train.ranks import joined_ranks
    from dolmino_cli.train.train import train

    with joined_ranks(timeout_seconds=60):
        for run in runs:
            train(run, say=lambda text: None)
