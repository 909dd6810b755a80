"""How a histogram is drawn, on a page or in a terminal: how high its bars are, and round numbers for its axis."""

from __future__ import annotations

import math

import numpy as np

from dolmino_cli.report.figures.histogram import Histogram

_HIDDEN = 0.02  # of the tallest bar: where one side stays lower than this, counts are drawn logarithmically


def has_log_counts(histogram: Histogram) -> bool:
    """Whether a linear scale of counts would hide what lies on one side of the bounds."""
    kept = [*histogram.kept.tolist(), histogram.zeros_kept]
    dropped = [*histogram.dropped.tolist(), histogram.zeros_dropped]
    tallest = max((one + other for one, other in zip(kept, dropped, strict=True)), default=0)
    lower = min(max(kept), max(dropped))
    if lower == 0:  # one side only: hidden are then most of the bars
        heights = [height for height in (np.add(kept, dropped)).tolist() if height]
        lower = sorted(heights)[len(heights) // 2] if heights else 0
    return bool(0 < lower < _HIDDEN * tallest)


def bar_height(count: int, tallest: int, *, log_counts: bool) -> float:
    """0 to 1; anything above 0 can be seen."""
    if count == 0:
        return 0.0
    share = math.log1p(count) / math.log1p(tallest) if log_counts else count / tallest
    return max(share, 0.01)


def tallest_bar(histogram: Histogram) -> int:
    """Documents in the fullest bin, zero's too."""
    return max(int((histogram.kept + histogram.dropped).max()), histogram.zeros_kept + histogram.zeros_dropped)


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
