"""The script that one writes to average checkpoints: load all of them, take the mean in fp32, save.

Usage: python mean_script.py OUTPUT CHECKPOINT...
"""

from __future__ import annotations

import sys

import torch
from transformers import AutoModelForCausalLM


def main(output: str, *checkpoints: str) -> None:
    """Write the mean of the checkpoints in their own dtype."""
    models = [AutoModelForCausalLM.from_pretrained(name, dtype="auto") for name in checkpoints]
    states = [model.state_dict() for model in models]
    with torch.no_grad():
        for name, tensor in states[0].items():
            mean = torch.stack([state[name].float() for state in states]).mean(0)
            tensor.copy_(mean.to(tensor.dtype))
    models[0].save_pretrained(output)


if __name__ == "__main__":
    main(*sys.argv[1:])
