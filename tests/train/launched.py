"""Runs of several processes, as torchrun would start them, without a second of imports for each."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import traceback
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

_PRELOAD = ["dolmino_cli.train.train", "transformers.models.olmo2.modeling_olmo2"]


def launch(world_size: int, work: Callable[..., None], *arguments: Any, errors: Path) -> list[BaseProcess]:
    """Start `work(*arguments)` as ranks 0 to world_size - 1; `errors` is where their standard error goes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    ranks = [
        context.Process(target=_as_rank, args=(rank, world_size, port, errors, work, arguments), daemon=True)
        for rank in range(world_size)
    ]
    for rank in ranks:
        rank.start()
    return ranks


def finish(ranks: list[BaseProcess], *, errors: Path, timeout_seconds: float = 120) -> list[int | None]:
    """Wait for all, and return their exit codes; those that do not end are killed."""
    for rank in ranks:
        rank.join(timeout_seconds)
        if rank.is_alive():
            rank.kill()
            raise AssertionError(f"a rank did not end: {errors.read_text() if errors.exists() else 'no word'}")
    return [rank.exitcode for rank in ranks]


def run_ranks(world_size: int, work: Callable[..., None], *arguments: Any, errors: Path) -> None:
    """All ranks do the work, and none fails."""
    codes = finish(launch(world_size, work, *arguments, errors=errors), errors=errors)
    assert codes == [0] * world_size, errors.read_text()


def kill(ranks: list[BaseProcess]) -> None:
    """kill -9, all of them."""
    for rank in ranks:
        assert rank.pid is not None
        os.kill(rank.pid, signal.SIGKILL)
    for rank in ranks:
        rank.join(30)


def _as_rank(rank: int, world_size: int, port: int, errors: Path, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(world_size), "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    descriptor = os.open(errors, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.dup2(descriptor, 2)
    import torch

    torch.set_num_threads(1)
    try:
        work(*arguments)
    except Exception:
        traceback.print_exc()
        raise
