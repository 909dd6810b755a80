"""Our classifier stage on batches in memory, tokenization included.

Prints seconds (of CPU time where that is the device) and the share of padding, writes the score of each document.

Usage: python our_classifier.py FOLDER DEVICE DTYPE OUTPUT.npy
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from dolmino_cli.kernels.length_batches import length_batches
from dolmino_cli.shards.reading import read_batches
from dolmino_cli.stages.classifier import Classifier

WARM_UP_DOCUMENTS = 4


def main(folder: str, device: str, dtype: str, output: str) -> None:
    """Write the score per document (float64). Batches are those of a real run; loading the model is not counted."""
    stage = Classifier(model=f"{folder}/model", into="edu", device=device, dtype=dtype)
    stage.prepare()
    batches = [batch for batch, _ in read_batches(f"{folder}/documents.jsonl.zst", batch_bytes=stage.batch_bytes)]
    for batch in batches if device == "cuda" else []:
        stage(batch)  # every shape is compiled and every kernel chosen once
    stage(batches[0].where(np.arange(len(batches[0])) < WARM_UP_DOCUMENTS))
    clock = time.perf_counter if device == "cuda" else time.process_time
    started = clock()
    scores = [stage(batch).to_numpy(zero_copy_only=False) for batch in batches]
    seconds = clock() - started
    np.save(output, np.concatenate(scores))
    loaded, _ = stage._load()
    tokens = places = 0
    for batch in batches:
        for window in loaded.tokenizer.windows(batch.text):
            lengths = np.diff(window.offsets)
            tokens += int(lengths.sum())
            places += sum(len(rows) * int(lengths[rows].max()) for rows in length_batches(lengths, loaded._batch_tokens))
    print(json.dumps({"seconds": seconds, "tokens": tokens, "padding": 1 - tokens / places, "device": loaded.name}))


if __name__ == "__main__":
    main(*sys.argv[1:])
