"""Write supervised fastText models of random weights: fasttext 0.9.3 often cannot train on little text ("Encountered NaN")."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

LOSSES = {"hs": 1, "ns": 2, "softmax": 3, "ova": 4}


def write_model(
    path: Path,
    words: list[str],
    labels: list[str],
    *,
    dim: int = 16,
    word_ngrams: int = 2,
    buckets: int = 5000,
    loss: str = "softmax",
    maxn: int = 0,
    supervised: bool = True,
    version: int = 12,
    seed: int = 3,
) -> None:
    """A whole `.bin` file, as `FastText.save_model` writes it."""
    dice = np.random.default_rng(seed)
    if word_ngrams <= 1 and maxn == 0:
        buckets = 0
    settings = (dim, 5, 5, 1, 5, word_ngrams, LOSSES[loss], 3 if supervised else 2, buckets, 2 if maxn else 0, maxn, 100)
    entries = [*((word, 0) for word in words), *((label, 1) for label in labels)]
    parts = [struct.pack("<2i", 793712314, version), struct.pack("<12id", *settings, 1e-4)]
    parts.append(struct.pack("<3i2q", len(entries), len(words), len(labels), 1000, -1))
    parts += [
        text.encode() + b"\0" + struct.pack("<qb", len(entries) - place, kind) for place, (text, kind) in enumerate(entries)
    ]
    for rows, scale in ((len(words) + buckets, 0.6), (len(labels), 1.5)):
        parts.append(b"\0" + struct.pack("<2q", rows, dim) + dice.normal(0, scale, (rows, dim)).astype("<f4").tobytes())
    path.write_bytes(b"".join(parts))
