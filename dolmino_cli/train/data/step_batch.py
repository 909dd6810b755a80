"""StepBatch: what one rank trains on in one step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, kw_only=True)
class StepBatch:
    """R windows of L tokens each, in the order in which they are trained on (R is batch_sequences / data-parallel ranks)."""

    step: int
    """The first is 1."""

    windows_R: npt.NDArray[np.int64]
    """Their numbers in the mix (mix/windows.py)."""

    ids_RL: npt.NDArray[np.int32]
    """Token ids."""

    counts_RL: npt.NDArray[np.bool_]
    """Does the loss of predicting this token count? Never at position 0, which nothing predicts."""

    sources_RL: npt.NDArray[np.uint8]
    """Which source of the mix the token is from, 0-based in the lock's order."""

    positions_RL: npt.NDArray[np.int32] | None
    """Position of each token in its document, 0 where a document or the window starts; None without document masking."""
