"""How far a share of right answers can be trusted: 200 items are few."""

from __future__ import annotations

import math

_Z = 1.959964  # 95 % of a normal distribution lies within so many standard deviations


def wilson(right: int, items: int) -> tuple[float, float]:
    """The 95 % interval of a share of which `right` of `items` were found (Wilson 1927): sound for 0 and for all, too."""
    share = right / items
    middle = (share + _Z**2 / (2 * items)) / (1 + _Z**2 / items)
    half = _Z * math.sqrt(share * (1 - share) / items + _Z**2 / (4 * items**2)) / (1 + _Z**2 / items)
    return (0.0 if right == 0 else middle - half), (1.0 if right == items else middle + half)
