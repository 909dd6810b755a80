"""A score's histogram: where its bins lie, how many documents are in each, and which side of the bounds they are on.

Two passes over the column. The first finds what the axis depends on (`Spread`), the second counts (`Histogram.add`).
Memory is that of the bins, whatever the number of rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dolmino_cli.stages.keep import Keep

BINS = 48
_CROWDED = 0.05  # of a linear axis: what would lie in less of it is not seen
_EXPONENTS = 2048
_LARGEST = float(np.finfo(np.float64).max)
_FAR_BOUND = 20  # an axis grows up to so many times its data's length to show a bound

Values = npt.NDArray[np.float64]


@dataclass(kw_only=True)
class Spread:
    """What the first pass finds out about a score."""

    integers: bool
    rows: int = 0
    nulls: int = 0
    not_finite: int = 0
    """NaN and infinities: counted, and in no bin."""
    least: float = np.inf
    most: float = -np.inf
    least_positive: float = np.inf
    exponents: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(_EXPONENTS, np.int64))
    """How many positive values have each binary exponent."""

    def add(self, values: Values, nulls: int) -> None:
        """Some rows: the values that are there, and how many are not."""
        finite = values[np.isfinite(values)]
        self.rows += len(values) + nulls
        self.nulls += nulls
        self.not_finite += len(values) - len(finite)
        if len(finite) == 0:
            return
        self.least, self.most = min(self.least, float(finite.min())), max(self.most, float(finite.max()))
        positive = finite[finite > 0]
        if len(positive):
            self.least_positive = min(self.least_positive, float(positive.min()))
            self.exponents += np.bincount((positive.view(np.int64) >> 52), minlength=_EXPONENTS)[:_EXPONENTS]

    @property
    def counted(self) -> int:
        """Finite values."""
        return self.rows - self.nulls - self.not_finite

    def quantile(self, share: float) -> float:
        """A power of two below which about `share` of the positive values lie."""
        place = int(np.searchsorted(np.cumsum(self.exponents), share * self.exponents.sum()))
        return float(np.ldexp(1.0, min(place, _EXPONENTS - 2) - 1023))


@dataclass(kw_only=True)
class Histogram:
    """Documents by score. Bin i is [edges[i], edges[i + 1]), the last with its right edge; further values are in the end bins.

    `zeros` is a bin of its own where the axis is logarithmic, which has no place for 0. `kept` and `dropped` say on which side
    of the recipe's bounds on this score a value lies, whatever other scores say; without bounds everything is kept.
    rows = sum of all bins + zeros + nulls + not_finite.
    """

    score: str
    keeps: tuple[Keep, ...]
    spread: Spread
    is_log: bool
    edges: Values
    kept: npt.NDArray[np.int64]
    dropped: npt.NDArray[np.int64]
    zeros_kept: int = 0
    zeros_dropped: int = 0

    @classmethod
    def of(cls, score: str, keeps: Sequence[Keep], spread: Spread) -> Histogram:
        """Empty, with its axis."""
        bounds = [bound for keep in keeps for bound in keep.bounds]
        is_log = spread.counted > 0 and _wants_log(spread, bounds)
        edges = _log_edges(spread, bounds) if is_log else _linear_edges(spread, bounds)
        nothing = np.zeros(len(edges) - 1, np.int64)
        return cls(
            score=score,
            keeps=tuple(keeps),
            spread=spread,
            is_log=is_log,
            edges=edges,
            kept=nothing,
            dropped=nothing.copy(),
        )

    def add(self, values: Values) -> None:
        """Count values; NaN and infinities are passed over, they are in `spread`."""
        values = values[np.isfinite(values)]
        keeps = passes(self.keeps, values)
        if self.is_log:
            zero = values == 0
            self.zeros_kept += int((zero & keeps).sum())
            self.zeros_dropped += int((zero & ~keeps).sum())
            values, keeps = values[~zero], keeps[~zero]
        bins = np.clip(np.searchsorted(self.edges, values, side="right") - 1, 0, len(self.kept) - 1)
        self.kept += np.bincount(bins[keeps], minlength=len(self.kept))
        self.dropped += np.bincount(bins[~keeps], minlength=len(self.kept))

    @property
    def total(self) -> int:
        """Documents counted."""
        return int(self.kept.sum() + self.dropped.sum()) + self.zeros_kept + self.zeros_dropped

    @property
    def has_zeros(self) -> bool:
        """Whether zero has a bin of its own with something in it."""
        return self.zeros_kept + self.zeros_dropped > 0

    def place(self, value: float) -> float:
        """Where `value` lies on the axis: 0 at its left end, 1 at its right; beyond is cut to these."""
        low, high = float(self.edges[0]), float(self.edges[-1])
        value = min(max(value, low), high)
        if value in (low, high):
            return float(value == high)
        if self.is_log:
            return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
        return (value / 4 - low / 4) / (high / 4 - low / 4)  # quarters: the whole difference may be more than a float holds

    def check(self) -> None:
        """Every finite value of the first pass is in a bin."""
        assert self.total == self.spread.counted, f"{self.score}: {self.total} counted, {self.spread.counted} seen"


def passes(keeps: Sequence[Keep], values: Values) -> npt.NDArray[np.bool_]:
    """Which values meet every bound of every decision."""
    met = np.ones(len(values), bool)
    for keep in keeps:
        met &= keep.meets(values)
    return met


def _wants_log(spread: Spread, bounds: Sequence[float]) -> bool:
    """Whether a linear axis from 0 would crowd the lower half of the positive values, or the lowest bound, into its left end."""
    if spread.least < 0 or spread.exponents.sum() == 0:
        return False
    positive = [bound for bound in bounds if bound > 0]
    crowded = min([spread.quantile(0.5), *positive])
    return crowded < _CROWDED * spread.most


def _log_edges(spread: Spread, bounds: Sequence[float]) -> Values:
    """Equal steps of the logarithm. A few values far below the rest do not stretch the axis: they are in its first bin."""
    low = max(spread.least_positive, spread.quantile(0.001) / 2)
    low = min([low, *(bound for bound in bounds if bound > 0)])
    high = max([spread.most, *(bound for bound in bounds if bound < spread.most * 1e3)])
    if spread.integers:
        return _whole(np.geomspace(max(low, 1.0), high + 1, BINS + 1))
    edges = np.exp(np.linspace(np.log(low), np.log(high), BINS + 1))
    edges[0], edges[-1] = low, high  # as they are: exp(log(x)) is not x
    return np.unique(np.clip(edges, low, high))


def _linear_edges(spread: Spread, bounds: Sequence[float]) -> Values:
    if spread.counted:
        low, high = spread.least, spread.most
    else:
        low, high = (min(bounds), max(bounds)) if bounds else (0.0, 1.0)
    length = high - low
    for bound in bounds:
        if length == 0 or low - _FAR_BOUND * length <= bound <= high + _FAR_BOUND * length:
            low, high = min(low, bound), max(high, bound)
    if spread.integers:
        first, last = np.floor(low), np.ceil(high)
        width = max(1, -(-int(last - first + 1) // BINS))
        return np.arange(first, last + width + 1, width, dtype=np.float64)
    if high / 4 - low / 4 < np.finfo(np.float64).tiny:  # one value, or as good as one
        margin = max(abs(low) / 2, 0.5)
        low, high = max(low - margin, -_LARGEST), min(high + margin, _LARGEST)
    return np.unique(np.linspace(low / 4, high / 4, BINS + 1) * 4)


def _whole(edges: Values) -> Values:
    """Edges at whole numbers, each once."""
    return np.unique(np.floor(edges))
