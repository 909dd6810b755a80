"""Round numbers to label an axis with."""

from __future__ import annotations

import math

from dolmino_cli.report.figures.histogram import Histogram


def ticks(histogram: Histogram, *, most: int = 6) -> list[float]:
    """Up to about `most` round values inside the axis; powers of ten on a logarithmic one, where it spans two or more."""
    low, high = float(histogram.edges[0]), float(histogram.edges[-1])
    if not histogram.is_log:
        return _linear(low, high, most)
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    step = max(1, -(-(last - first + 1) // most))
    powers = [10.0**exponent for exponent in range(first, last + 1, step)]
    return powers if len(powers) > 1 else [value for value in (low, math.sqrt(low * high), high) if value > 0]


def _linear(low: float, high: float, most: int) -> list[float]:
    rough = high / most - low / most
    if not 0 < rough < math.inf:
        return [low]
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(count * step, 12) if abs(step) > 1e-9 else count * step for count in range(first, last + 1)]
