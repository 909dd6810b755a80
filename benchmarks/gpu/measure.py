"""One case in this process: prints one line of JSON. Called by run.py; every GPU is as it was left."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.gpu.cases import Case
from dolmino_cli.train.data.step_batch import StepBatch
from dolmino_cli.train.learning_rate import LearningRate
from dolmino_cli.train.model.build import build
from dolmino_cli.train.model.parallel import make_mesh
from dolmino_cli.train.model.weights_in import fill_random
from dolmino_cli.train.optimizer import AdamW
from dolmino_cli.train.planning.shapes import config_of
from dolmino_cli.train.planning.throughput import Throughput
from dolmino_cli.train.ranks import Ranks, joined_ranks
from dolmino_cli.train.run_file import Hardware, Loss, Optimizer, Run
from dolmino_cli.train.step import Stepper

Z_LOSS, RATE = 1e-5, 1e-5


def configuration(case: Case) -> Any:
    """transformers' configuration, with the case's number of layers."""
    config = config_of(case.shape)
    if case.layers is not None:
        config.num_hidden_layers = case.layers
    return config


def ids_of(case: Case, vocabulary: int, step: int) -> np.ndarray:
    """(windows, sequence length), by Zipf's law, as words are."""
    draw = np.random.default_rng(step).random((case.windows, case.sequence_length))
    return np.minimum(np.exp(draw * np.log(vocabulary)), vocabulary - 1).astype(np.int32)


def dolmino(case: Case, ranks: Ranks) -> Callable[[int], torch.Tensor]:
    """What makes a step, as `dolmino train` does, and returns the mean cross-entropy, still on the device."""
    config = configuration(case)
    hardware = Hardware(
        # Products of 16 bits take a CPU a hundred times as long.
        precision="bf16" if ranks.device.type == "cuda" else "fp32",
        micro_batch_sequences=case.micro_batch,
        activation_checkpointing=case.recompute,  # type: ignore[arg-type]
        compile=case.compile,
        head_chunk_tokens=case.head_chunk_tokens,
    )
    run = Run(
        name="benchmark",
        batch_sequences=case.windows,
        steps=None,
        learning_rate=LearningRate(start=RATE, schedule="constant"),
        seed=0,
        sequence_length=case.sequence_length,
        loss=Loss(z_loss=Z_LOSS),
        optimizer=Optimizer(),
        hardware=hardware,
    )
    model = build(config, hardware=hardware, mesh=make_mesh(hardware, ranks.device.type, 1), device=ranks.device)
    fill_random(model, 0)
    optimizer = AdamW(dict(model.hf.named_parameters()), model.layout.embedding.weight, run.optimizer)
    stepper = Stepper(run, ranks, model, optimizer, None, 1)
    counts = np.ones((case.windows, case.sequence_length), bool)
    counts[:, 0] = False

    def step(number: int) -> torch.Tensor:
        batch = StepBatch(
            step=number,
            windows_R=np.arange(case.windows),
            ids_RL=ids_of(case, config.vocab_size, number),
            counts_RL=counts,
            sources_RL=np.zeros(counts.shape, np.uint8),
            positions_RL=None,
        )
        return stepper.step(batch, RATE).sums[0] / counts.sum()

    return step


def measure(case: Case) -> dict[str, Any]:
    """Seconds per step in steady state, tokens per second, MFU, memory, and the time until then."""
    started = time.perf_counter()
    with joined_ranks(timeout_seconds=600) as ranks:
        cuda = ranks.device.type == "cuda"
        if case.engine == "olmo-core":
            from benchmarks.gpu.olmo_core_engine import olmo_core

            step = olmo_core(case, ranks)
        else:
            step = dolmino(case, ranks)
        losses = [step(number) for number in range(1, case.warm_up + 1)]
        losses = [float(loss) for loss in losses]
        since = time.perf_counter()
        counted = [step(number) for number in range(case.warm_up + 1, case.warm_up + case.steps + 1)]
        # Read once, at the end: the steps are queued as in training.
        losses += [float(loss) for loss in counted]
        seconds = (time.perf_counter() - since) / case.steps
        device = torch.cuda.get_device_name() if cuda else "CPU"
        memory = torch.cuda.max_memory_allocated() if cuda else 0
        reserved = torch.cuda.max_memory_reserved() if cuda else 0
    tokens = case.windows * case.sequence_length / seconds
    speed = Throughput.of(configuration(case).to_dict(), sequence_length=case.sequence_length, device_name=device, gpus=1)
    return {
        "device": device,
        "seconds_per_step": seconds,
        "tokens_per_second": tokens,
        "mfu_full": speed.mfu(tokens),
        "mfu_causal": speed.mfu(tokens, "causal"),
        "peak_allocated_gib": memory / 2**30,
        "peak_reserved_gib": reserved / 2**30,
        "seconds_to_steady": since - started,
        "first_loss": losses[0],
        "last_loss": losses[-1],
    }


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    print(json.dumps(measure(Case(**json.loads(sys.argv[1])))))
