"""Which tokens of a window repeat themselves: the narrower mask, of `repeated_windows: span`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dolmino_cli.mix.sampling.repeated import MAX_PERIOD, MIN_COUNT


def repeating_tokens(ids_L: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """Bool per token of a window: does it belong to a unit of 1 to 13 tokens that stands 32 times or more in a row?

    For every period p: every longest run of places i with ids[i] == ids[i - p], together with the p tokens before it (the first
    unit), where all of them are 32 x p tokens or more. The rule that finds windows is the same (training-definitions, 7), so a
    window has such a token exactly when it is masked as a whole by `repeated_windows: instance`.
    """
    found = np.zeros(len(ids_L), np.bool_)
    for period in range(1, min(MAX_PERIOD, len(ids_L) // MIN_COUNT) + 1):
        equal = np.zeros(len(ids_L) - period + 2, np.int8)  # a 0 at each end, so that every run begins and ends
        equal[1:-1] = ids_L[period:] == ids_L[:-period]
        change = np.diff(equal)
        # equal[1 + j] is of place j + period, and the unit before it begins at j.
        for start, end in zip(np.flatnonzero(change == 1), np.flatnonzero(change == -1) + period, strict=True):
            if end - start >= MIN_COUNT * period:
                found[start:end] = True
    return found
