"""Train the demo's quality model: fastText with bigrams, as DCLM trained its own (labels hq and cc).

Usage: python train_quality.py LABELLED_LINES MODEL
"""

from __future__ import annotations

import sys

import fasttext


def main(lines: str, model: str) -> None:
    """Train on `lines`, save to `model`."""
    trained = fasttext.train_supervised(lines, wordNgrams=2, bucket=100_000, dim=32, lr=0.1, epoch=5, thread=1, verbose=0)
    trained.save_model(model)


if __name__ == "__main__":
    main(*sys.argv[1:])
