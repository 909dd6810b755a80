"""Runs of several processes, as torchrun would start them, without a second of imports for each."""

from __future__ import annotations

import multiprocessing
import os
import traceback
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

_PRELOAD = ["dolmino_cli.train.train", "transformers.models.olmo2.modeling_olmo2"]


class Launched(list[BaseProcess]):
    """The ranks, and the store at which they meet, which is there as long as this is.

    As torchrun has it, the store is of the process that starts them, and takes a free port itself: one that was chosen here for
    rank 0 to take might be another process's by then.
    """

    def __init__(self) -> None:
        from torch.distributed import TCPStore

        super().__init__()
        self.store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)


def launch(world_size: int, work: Callable[..., None], *arguments: Any, errors: Path) -> Launched:
    """Start `work(*arguments)` as ranks 0 to world_size - 1; `errors` is where their standard error goes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    ranks = Launched()
    for rank in range(world_size):
        given = (rank, world_size, ranks.store.port, errors, work, arguments)
        ranks.append(context.Process(target=_as_rank, args=given, daemon=True))
        ranks[-1].start()
    return ranks


def finish(ranks: list[BaseProcess], *, errors: Path, timeout_seconds: float = 600) -> list[int | None]:
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
        rank.kill()  # which may have ended by itself, without the others
    for rank in ranks:
        rank.join(120)


def _as_rank(rank: int, world_size: int, port: int, errors: Path, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(world_size), "LOCAL_RANK": str(rank)}
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    descriptor = os.open(errors, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.dup2(descriptor, 2)
    import torch

    torch.set_num_threads(1)
    try:
        work(*arguments)
    except Exception:
        traceback.print_exc()
        raise
