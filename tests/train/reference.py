"""What a run must compute, in plain PyTorch and transformers: one process, whole batches, every term written out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from dolmino_cli.train.run_file import Run
from tests.train.data.make import repeats_by_hand, windows_by_hand


@dataclass(frozen=True)
class Curve:
    """By step."""

    objective: list[float]
    norm: list[float]


def reference(
    run: Run, steps: int, *, z_term: bool = True, masks: bool = True, embedding_decayed: bool | None = None, schedule: bool = True
) -> Curve:
    """The run's first `steps` steps; a term can be left out."""
    windows = [window.ids for window in windows_by_hand(Path(str(run.mix)), run.sequence_length)]
    batch, length, decay = run.batch_sequences, run.sequence_length, run.optimizer.weight_decay
    model = AutoModelForCausalLM.from_pretrained(run.checkpoint, dtype=torch.float32)
    embedding = model.get_input_embeddings().weight
    decayed = run.optimizer.decay_embeddings if embedding_decayed is None else embedding_decayed
    groups = [
        {"params": [p for p in model.parameters() if p is not embedding], "weight_decay": decay},
        {"params": [embedding], "weight_decay": decay if decayed else 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, betas=run.optimizer.betas, eps=run.optimizer.eps)  # type: ignore[arg-type]
    curve = Curve([], [])
    per_epoch = len(windows) // batch
    for step in range(steps):
        order = np.arange(len(windows), dtype=np.uint32)
        np.random.Generator(np.random.PCG64(run.seed + step // per_epoch)).shuffle(order)
        chosen = [windows[i] for i in order[step % per_epoch * batch :][:batch]]
        ids = torch.tensor(chosen)
        labels = ids.clone()
        for row, window in enumerate(chosen):
            if masks and repeats_by_hand(window):
                labels[row] = -100
        logits = model(ids).logits[:, :-1].flatten(0, 1)
        targets = labels[:, 1:].flatten()
        ce = cross_entropy(logits, targets, ignore_index=-100, reduction="sum")
        z = (torch.logsumexp(logits, -1).square() * (targets != -100)).sum()
        divide_by = {"targets": batch * (length - 1), "tokens": batch * length, "counted": int((targets != -100).sum())}
        loss = (ce + (run.loss.z_loss * z if z_term else 0)) / divide_by[run.loss.denominator]
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), run.optimizer.clip_norm)
        start, done = run.learning_rate.first, (step + run.learning_rate.step_offset) / steps
        falls = schedule and run.learning_rate.schedule == "linear"
        for group in optimizer.param_groups:
            group["lr"] = start * (1 - done) if falls else start
        optimizer.step()
        optimizer.zero_grad()
        curve.objective.append(float(loss.detach()))
        curve.norm.append(float(norm))
    return curve
