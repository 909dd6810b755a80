"""The loop that one writes with transformers: batches of 32, padded to their longest.

Prints seconds (of CPU time where that is the device) and writes the score of each document.

Usage: python transformers_loop.py FOLDER DEVICE DTYPE ORDER OUTPUT.npy     (ORDER: input or length)
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from reading import read_shard

BATCH = 32
WARM_UP_DOCUMENTS = 4


def main(folder: str, device: str, dtype: str, order: str, output: str) -> None:
    """Write the score per document (float64), in input order."""
    tokenizer = AutoTokenizer.from_pretrained(f"{folder}/model")
    model = AutoModelForSequenceClassification.from_pretrained(f"{folder}/model", dtype=getattr(torch, dtype)).to(device).eval()
    texts = [row["text"] for row in read_shard(Path(folder) / "documents.jsonl.zst")]

    def score(some: list[str]) -> np.ndarray:
        inputs = tokenizer(some, padding="longest", truncation=True, max_length=512, return_tensors="pt").to(device)
        scores: np.ndarray = model(**inputs).logits.squeeze(-1).float().cpu().numpy()
        return scores

    clock = time.perf_counter if device == "cuda" else time.process_time
    with torch.inference_mode():
        score(texts[: BATCH if device == "cuda" else WARM_UP_DOCUMENTS])
        started = clock()
        places = sorted(range(len(texts)), key=lambda place: -len(texts[place])) if order == "length" else range(len(texts))
        scores = np.empty(len(texts))
        for first in range(0, len(texts), BATCH):
            rows = list(places[first : first + BATCH])
            scores[rows] = score([texts[row] for row in rows])
        seconds = clock() - started
    np.save(output, scores)
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
