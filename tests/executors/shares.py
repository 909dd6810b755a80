"""Processes that divide a run among them, as a batch system starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """`dolmino ARGUMENTS` in a process of its own."""
    command = [sys.executable, "-m", "dolmino_cli.cli.main", *map(str, arguments)]
    package = str(Path(__file__).resolve().parents[2])
    settings = {**os.environ, "PYTHONPATH": package, **environment}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=settings)


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for it: exit code, standard output, standard error."""
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err
