"""When a window is trained on, and what a step trains on: the trainer's order, both ways."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.windows import place_in_order, window_order


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One time that a window is trained on. Steps count from 1 through all epochs; rank, row and epoch from 0."""

    step: int
    rank: int
    row: int
    epoch: int


@dataclass(frozen=True, kw_only=True)
class TrainerOrder:
    """The order in which a run trains on `windows`: OLMo's, PCG64(seed + epoch) over all of them.

    `row` r of `rank` k in a step is the step's window number r x world_size + k, so a step's windows do not depend on the
    number of ranks. Raises ConfigError for numbers that fit no run.
    """

    windows: int
    seed: int
    batch_sequences: int
    """Windows per step, over all ranks."""
    world_size: int = 1
    epochs: int = 1

    def __post_init__(self) -> None:
        for name, least in (("batch_sequences", 1), ("world_size", 1), ("epochs", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least {least}")
        if self.batch_sequences % self.world_size:
            raise ConfigError(
                f"a batch of {self.batch_sequences:,} windows cannot be dealt out evenly to {self.world_size:,} ranks; "
                "give the batch of all ranks together, and a world size that divides it"
            )
        if self.batch_sequences > self.windows:
            raise ConfigError(f"a batch of {self.batch_sequences:,} windows is more than the mix has ({self.windows:,})")

    @property
    def steps_per_epoch(self) -> int:
        """Whole steps; the windows left over are not trained on in that epoch."""
        return self.windows // self.batch_sequences

    @property
    def rows(self) -> int:
        """Windows per rank and step."""
        return self.batch_sequences // self.world_size

    def windows_of_step(self, step: int, *, rank: int | None = None, row: int | None = None) -> npt.NDArray[np.int64]:
        """The windows of a step (the first is 1) in its order: of all ranks or one, all rows or one. Raises ConfigError."""
        last = self.steps_per_epoch * self.epochs
        if not 1 <= step <= last:
            told = f"{self.windows:,} windows / {self.batch_sequences:,} = {self.steps_per_epoch:,} steps an epoch"
            raise ConfigError(f"step {step:,} is not in the run, whose steps are 1 to {last:,} ({told}; more: --epochs)")
        for name, value, count in (("rank", rank, self.world_size), ("row", row, self.rows)):
            if value is not None and not 0 <= value < count:
                raise ConfigError(f"{name} {value} is not in a step of {count:,} {name}s; give 0 to {count - 1:,}")
        epoch, first = place_in_order(
            step=step, rank=0, row=0, world_size=self.world_size, batch_sequences=self.batch_sequences, windows=self.windows
        )
        dealt = _order(self.windows, self.seed, epoch)[first : first + self.batch_sequences].reshape(self.rows, self.world_size)
        rows = slice(None) if row is None else slice(row, row + 1)
        ranks = slice(None) if rank is None else slice(rank, rank + 1)
        return dealt[rows, ranks].reshape(-1).astype(np.int64)

    def seen(self, windows: Sequence[int]) -> list[tuple[Seen, ...]]:
        """For each window, every time that the run trains on it: at most once in each epoch."""
        wanted = np.zeros(self.windows, np.bool_)
        wanted[list(windows)] = True
        found: dict[int, list[Seen]] = {window: [] for window in windows}
        for epoch in range(self.epochs):
            order = _order(self.windows, self.seed, epoch)
            for place in np.flatnonzero(wanted[order]).tolist():
                step, in_step = divmod(place, self.batch_sequences)
                if step < self.steps_per_epoch:
                    row, rank = divmod(in_step, self.world_size)
                    seen = Seen(step=epoch * self.steps_per_epoch + step + 1, rank=rank, row=row, epoch=epoch)
                    found[int(order[place])].append(seen)
        return [tuple(found[window]) for window in windows]


# Two: a trainer's reader is some steps, and so at times an epoch, ahead of what is trained on.
@functools.lru_cache(maxsize=2)
def _order(windows: int, seed: int, epoch: int) -> npt.NDArray[np.uint32]:
    return window_order(windows, seed=seed, epoch=epoch)
