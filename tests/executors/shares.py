"""Processes that divide a run among them, as a batch system starts them."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dolmino_cli.errors import DolminoError


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """`dolmino ARGUMENTS` in a process of its own."""
    command = [sys.executable, "-m", "dolmino_cli.cli.main", *map(str, arguments)]
    package = str(Path(__file__).resolve().parents[2])
    settings = {**os.environ, "PYTHONPATH": package, **environment}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=settings)


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for it: exit code, standard output, standard error."""
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What each call returns, or raises, all running at the same time in processes of their own."""
    context = multiprocessing.get_context("fork")
    outcomes: multiprocessing.Queue[tuple[int, Any]] = context.Queue()

    def run(place: int, call: Callable[[], Any]) -> None:
        try:
            outcomes.put((place, call()))
        except DolminoError as error:
            outcomes.put((place, error))

    processes = [context.Process(target=run, args=one) for one in enumerate(calls)]
    for process in processes:
        process.start()
    found = dict(outcomes.get(timeout=180) for _ in processes)
    for process in processes:
        process.join()
    return [found[place] for place in range(len(calls))]
