"""The fasttext package in memory: seconds per pass over all documents, and DCLM's score of each.

The score is P(label) when that is the likelier of two labels, else 1 - P(other). Documents are cleaned as DCLM does
before the clock starts. Both ways in are timed: `predict` on lists of 256, and the extension's own `predict` per document,
which skips the wrapper.
Usage: python fasttext_package.py DOCUMENTS.jsonl.zst MODEL LABEL OUTPUT.npy PASSES
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import fasttext
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from reading import read_shard

LIST_LENGTH = 256


def main(documents: str, model_path: str, label: str, output: str, passes: str) -> None:
    """Write the score per document (float64); print the seconds of every pass by way in."""
    model = fasttext.load_model(model_path)
    texts = [" ".join(str(row["text"]).strip().splitlines()) for row in read_shard(Path(documents))]

    def by_lists() -> list[float]:
        scores: list[float] = []
        for first in range(0, len(texts), LIST_LENGTH):
            labels, probabilities = model.predict(texts[first : first + LIST_LENGTH])
            scores += [score(float(p[0]), names[0]) for names, p in zip(labels, probabilities, strict=True)]
        return scores

    def by_document() -> list[float]:
        return [score(*model.f.predict(f"{text}\n", 1, 0.0, "strict")[0]) for text in texts]

    def score(probability: float, name: str) -> float:
        return probability if name == label else 1.0 - probability

    seconds: dict[str, list[float]] = {}
    for name, predict in (("predict(list)", by_lists), ("f.predict(str)", by_document)):
        seconds[name] = [_seconds(predict) for _ in range(int(passes))]
    np.save(output, np.array(by_document()))
    print(json.dumps({"seconds": seconds}))


def _seconds(predict: Callable[[], list[float]]) -> float:
    started = time.perf_counter()
    predict()
    return time.perf_counter() - started


if __name__ == "__main__":
    main(*sys.argv[1:])
