"""Ranks: the processes of a run, as torchrun started them, or this one alone; what they agree on, and how they fail together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from dolmino_cli.errors import ConfigError, DolminoError, first_line
from dolmino_cli.train.host_memory import keep_freed_memory

# Some hosts wait while others download, hash or write. One that died is noticed at once; steps that hang are the watchdog's.
_HOSTS_WAIT = timedelta(hours=6)


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """This process among the run's. All of them are data-parallel: there is no tensor or pipeline parallelism."""

    rank: int
    world_size: int
    device: torch.device
    host_group: dist.ProcessGroup
    """What the hosts agree over (gloo), apart from the GPUs' traffic."""
    saving_group: dist.ProcessGroup
    """The same for the threads that write checkpoints beside the training."""

    @property
    def first(self) -> bool:
        """Is this the one that writes and speaks?"""
        return self.rank == 0

    def most(self, value: int) -> int:
        """The largest of all ranks' values: a wait of the hosts for each other, not for their GPUs."""
        if self.world_size == 1:
            return value
        agreed = torch.tensor(value)
        dist.all_reduce(agreed, dist.ReduceOp.MAX, group=self.host_group)
        return int(agreed)

    def of_first(self, value: Any) -> Any:
        """What rank 0 holds, on all ranks."""
        held = [value]
        dist.broadcast_object_list(held, src=0, group=self.host_group)
        return held[0]

    def of_all(self, value: Any) -> list[Any]:
        """What each rank holds, by rank, on all ranks."""
        held: list[Any] = [None] * self.world_size
        dist.all_gather_object(held, value, group=self.host_group)
        return held

    def wait(self) -> None:
        """Until all hosts are here."""
        dist.barrier(group=self.host_group)

    @contextmanager
    def together(self) -> Iterator[None]:
        """A block that all ranks fail if one does: the first that failed raises its error, the others leave without a word.

        For blocks in which ranks do not wait for each other.
        """
        error: DolminoError | None = None
        try:
            yield
        except DolminoError as caught:
            error = caught
        failed_first = self.world_size - self.most(self.world_size - self.rank if error is not None else 0)
        if failed_first == self.world_size:
            return
        if error is not None and failed_first == self.rank:
            raise error
        raise SystemExit(error.exit_code if error is not None else 1)


@contextmanager
def joined_ranks(*, timeout_seconds: int) -> Iterator[Ranks]:
    """Join the run's processes: torchrun's environment where there is one, else a group of one. NCCL on GPUs, gloo on CPUs."""
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
    if cuda:
        if int(os.environ.get("WORLD_SIZE", "1")) > 1 and "LOCAL_RANK" not in os.environ:
            raise ConfigError(
                "WORLD_SIZE is set and LOCAL_RANK is not: all processes of a machine would share one GPU; start them with"
                " torchrun, or set LOCAL_RANK as docs/slurm/train.sbatch does"
            )
        if device.index >= torch.cuda.device_count():
            raise ConfigError(
                f"process {device.index} of this machine has no GPU of its own, there are {torch.cuda.device_count()}; start one"
                " process per GPU: torchrun --nproc-per-node"
            )
        torch.cuda.set_device(device)
    else:
        keep_freed_memory()
    begun_here = not dist.is_initialized()
    if begun_here:
        # Later than our own watchdog, which says more.
        timeout = timedelta(seconds=timeout_seconds + 60)
        backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
        if "RANK" in os.environ:
            _join_others(backend, timeout)
        else:
            dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1, timeout=timeout)
    failed = True
    try:
        yield Ranks(
            rank=dist.get_rank(),
            world_size=dist.get_world_size(),
            device=device,
            host_group=dist.new_group(backend="gloo", timeout=_HOSTS_WAIT),
            saving_group=dist.new_group(backend="gloo", timeout=_HOSTS_WAIT),
        )
        failed = False
    finally:
        # A group that lost a member would wait for it here.
        if begun_here and (not failed or dist.get_world_size() == 1):
            dist.destroy_process_group()


def _join_others(backend: str, timeout: timedelta) -> None:
    try:
        dist.init_process_group(backend, timeout=timeout)
    except (ValueError, RuntimeError) as error:
        raise ConfigError(
            f"rank {os.environ['RANK']} cannot join the others: {first_line(error)}. Start all with torchrun, or set RANK,"
            " WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT as docs/slurm/train.sbatch does"
        ) from None
