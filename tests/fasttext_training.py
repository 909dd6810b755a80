"""Train a fastText model in a test.

fasttext 0.9.3 stops at random with "Encountered NaN", and then again and again in the same process: so it trains in a process
of its own, and once more, slower, when that happens.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TRAIN = """
import json, sys, fasttext
lines, model, settings = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
fasttext.train_supervised(lines, **settings).save_model(model)
"""
TRIES = 8


def train_supervised(lines: Path, model: Path, **settings: Any) -> Path:
    """Train on the labelled lines and save as `model`; skips the test where the package is not installed."""
    pytest.importorskip("fasttext", reason="needs the extra [fasttext]")
    for attempt in range(TRIES):
        tried = json.dumps({"lr": 0.1 / (1 + attempt), "thread": 1, "verbose": 0, **settings})
        done = subprocess.run([sys.executable, "-c", TRAIN, str(lines), str(model), tried], capture_output=True, text=True)
        if done.returncode == 0:
            return model
        if "NaN" not in done.stderr:
            break
    raise RuntimeError(done.stderr)
