"""A run that was killed goes on as if nothing had been: the same data, the same losses; to the last bit on as many ranks."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.errors import ConfigError
from dolmino_cli.train.run_file import Run
from dolmino_cli.train.saving.checkpoints import PARTIAL, checkpoints_of
from tests.train.launched import finish, kill, launch, run_ranks
from tests.train.tiny import step_lines, tiny_run

STEPS = 16


def run_in(output: Path, mix: Path, checkpoint: Path, **changes: Any) -> Run:
    """16 steps, a checkpoint after every third, skip_step and its history included."""
    optimizer = {"skip_step": {"window": 8, "sigmas": 2.0}, **changes.pop("optimizer", {})}
    hardware = {"micro_batch_sequences": 2}
    saving, watch = {"every_steps": 3, "keep": 2}, {"every_steps": 2}
    return tiny_run(mix, checkpoint, output, steps=STEPS, optimizer=optimizer, hardware=hardware, saving=saving, watch=watch, **changes)
