"""Spike score: how often a series jumps."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

WINDOW = 1000
SIGMAS = 7.0
# A deviation of fewer values says nothing; the paper does not say how it begins.
LEAST_BEFORE = 100


class SpikeScore:
    """The percentage of values at least 7 standard deviations away from the mean of the up to 1,000 before them.

    OLMo 2 paper, section 3.2: "the percentage of values in a time series that are at least seven standard deviations away from
    a rolling average of the last 1,000 values". Where the paper is silent: a value is compared with those before it, without
    itself; the deviation is theirs, of the population; either direction counts; the first 100 values are never spikes but count
    as values; of values that do not differ, nothing is a spike; values that are not finite are left out of the series.
    """

    def __init__(self, before: Iterable[float] = ()) -> None:
        """`before`: what the series began with."""
        self._last = np.empty(WINDOW)
        self._values = self._spikes = 0
        for value in before:
            self.add(value)

    def add(self, value: float) -> bool:
        """Go on with the series. Returns whether this value is a spike."""
        if not math.isfinite(value):
            return False
        last, spike = self._last[: self._values], False
        if len(last) >= LEAST_BEFORE:
            deviation = last.std()
            spike = bool(deviation > 0 and abs(value - last.mean()) >= SIGMAS * deviation)
        self._last[self._values % WINDOW] = value
        self._values += 1
        self._spikes += spike
        return spike

    @property
    def percent(self) -> float:
        """Of all values so far; 0 before the first."""
        return 100 * self._spikes / self._values if self._values else 0.0
