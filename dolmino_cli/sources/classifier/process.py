"""Train one fastText model: the program that `training` runs in a process of its own, by its path.

A process of its own, because fastText needs memory that is zero from the start: with one thread it gives only the first tenth
of its vectors a value and takes the others as it finds them (DenseMatrix::uniformThread divides by ten whatever the number
of threads), so that in used memory it ends with "Encountered NaN" or a model that is never the same twice.

Usage: python process.py LINES MODEL SETTINGS   (SETTINGS: JSON, of fasttext.train_supervised)
"""

from __future__ import annotations

import json
import sys

import fasttext


def main(lines: str, model: str, settings: str) -> None:
    """Train on the labelled `lines`, save as `model`."""
    try:
        fasttext.train_supervised(lines, verbose=0, **json.loads(settings)).save_model(model)
    except (RuntimeError, ValueError, MemoryError) as error:
        sys.exit(str(error) or type(error).__name__)


if __name__ == "__main__":
    main(*sys.argv[1:])
