"""The documents nearest to a bound on either side, found while a score's column goes by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from dolmino_cli.report.figures.histogram import Values

Side = Literal["above", "below"]


@dataclass(frozen=True, order=True)
class Row:
    """A row of a run's attributes: shards are numbered in the order in which they are read."""

    shard: int
    row: int


@dataclass(kw_only=True)
class Nearest:
    """Up to `most` rows on one side of `bound`, the nearest first; of equally near ones, those that were read first.

    A value equal to the bound is above it where `equal_is_above`: it lies on the side that the rule puts it on.
    """

    bound: float
    side: Side
    equal_is_above: bool
    most: int
    distances: Values = field(default_factory=lambda: np.zeros(0))
    values: Values = field(default_factory=lambda: np.zeros(0))
    places: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))

    def add(self, values: Values, *, shard: int, rows: npt.NDArray[np.int64]) -> None:
        """Values that come after all that were added before, and the rows of `shard` that they stand in."""
        is_above = values >= self.bound if self.equal_is_above else values > self.bound
        wanted = is_above if self.side == "above" else values < self.bound if self.equal_is_above else values <= self.bound
        with np.errstate(over="ignore"):  # further than a float can say is as far as it gets
            distances = np.abs(values - self.bound)
        wanted &= np.isfinite(values)
        if len(self.distances) == self.most:
            wanted &= distances < (self.distances[-1] if self.most else 0)
        chosen = np.flatnonzero(wanted)
        if len(chosen) == 0:
            return
        if len(chosen) > self.most:
            furthest = np.partition(distances[chosen], self.most - 1)[self.most - 1]
            chosen = chosen[distances[chosen] <= furthest]
            chosen = chosen[np.argsort(distances[chosen], kind="stable")[: self.most]]
        places = np.column_stack([np.full(len(chosen), shard), rows[chosen]])
        distances = np.concatenate([self.distances, distances[chosen]])
        order = np.argsort(distances, kind="stable")[: self.most]
        self.distances = distances[order]
        self.values = np.concatenate([self.values, values[chosen]])[order]
        self.places = np.concatenate([self.places, places])[order]

    def found(self) -> list[tuple[Row, float]]:
        """The rows and their scores, the nearest first."""
        return [(Row(shard, row), value) for (shard, row), value in zip(self.places.tolist(), self.values.tolist(), strict=True)]
