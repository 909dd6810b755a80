"""Train a fastText model in a test.

In a process of its own and in memory that is zero: with one thread fasttext 0.9.3 leaves most of its vectors as it finds them
(`dolmino_cli/sources/classifier/process.py` says more), and where that was used before, it stops with "Encountered NaN".
"""

from __future__ import annotations

import json
import os
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


def train_supervised(lines: Path, model: Path, **settings: Any) -> Path:
    """Train on the labelled lines and save as `model`; skips the test where the package is not installed."""
    pytest.importorskip("fasttext", reason="needs the extra [fasttext]")
    given = json.dumps({"lr": 0.1, "thread": 1, "verbose": 0, **settings})
    command = [sys.executable, "-c", TRAIN, str(lines), str(model), given]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"MALLOC_PERTURB_": "255"})
    assert done.returncode == 0, done.stderr
    return model
