"""The loop that one writes with transformers: whole logits, AdamW, a linear learning rate; the model saved at the end.

Reads the same windows in the same order as dolmino (one part, PCG64(seed)), on one CPU process, in fp32. Prints the last loss.

Usage: python plain_training_loop.py CHECKPOINT PART.npy SEQUENCE_LENGTH BATCH STEPS RATE SEED OUTPUT
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from transformers import AutoModelForCausalLM


def main(checkpoint: str, part: str, length: int, batch: int, steps: int, rate: float, seed: int, output: str) -> None:
    """Train, save, and print the cross-entropy of the last step."""
    tokens = np.memmap(part, np.uint32, "r")
    windows = tokens[: len(tokens) // length * length].reshape(-1, length)
    order = np.arange(len(windows), dtype=np.uint32)
    np.random.Generator(np.random.PCG64(seed)).shuffle(order)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32)
    embedding = model.get_input_embeddings().weight
    others = [weight for weight in model.parameters() if weight is not embedding]
    groups = [{"params": others, "weight_decay": 0.1}, {"params": [embedding], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), fused=True)
    for step in range(1, steps + 1):
        ids = torch.from_numpy(windows[np.sort(order[(step - 1) * batch : step * batch])].astype(np.int64))
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - step / steps)
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(output)
    print(loss.item())


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:6]), float(sys.argv[6]), int(sys.argv[7]), sys.argv[8])  # type: ignore[call-arg,arg-type]
