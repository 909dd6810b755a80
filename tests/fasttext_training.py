"""Train a fastText model in a test. fasttext 0.9.3 stops at random with "Encountered NaN", whatever the text: then again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

TRIES = 10


def train_supervised(lines: Path, **settings: Any) -> Any:
    """The model trained on the labelled lines; skips the test where the package is not installed."""
    fasttext = pytest.importorskip("fasttext", reason="needs the extra [fasttext]")
    for _ in range(TRIES - 1):
        try:
            return fasttext.train_supervised(str(lines), **settings)
        except RuntimeError as error:
            if "NaN" not in str(error):
                raise
    return fasttext.train_supervised(str(lines), **settings)
