"""SkipHistory: is this step's loss or gradient norm far above those before it? Decided on the device."""

from __future__ import annotations

import torch
from torch import Tensor

from dolmino_cli.train.run_file import SkipStep

# Steps with fewer before them are never left out (OLMo-core: 20, this step included, or half the window where that is more).
_LEAST_STEPS = 20


class SkipHistory:
    """The last `window` steps' loss and gradient norm before clipping, as OLMo-core's SkipStepOptimizer keeps them.

    A step is left out when either lies more than `sigmas` (unbiased) standard deviations above the mean of the steps before it.
    Steps that were left out enter the history like the others, so a lasting change is followed, not refused for ever.
    """

    def __init__(self, settings: SkipStep, device: torch.device) -> None:
        self.settings = settings
        self.values_2W = torch.zeros((2, settings.window), dtype=torch.float64, device=device)
        """Loss and norm; step s stands in column (s - 1) mod window. A checkpoint holds it."""

    def far_above(self, step: int, loss: Tensor, norm: Tensor) -> Tensor:
        """Is step `step` (the first is 1) to be left out? Called once for every step, in order; remembers it."""
        window = self.settings.window
        now_2 = torch.stack([loss, norm]).to(torch.float64)
        before = step - 1
        if before + 1 < max(_LEAST_STEPS, window // 2):
            far = torch.zeros((), dtype=torch.bool, device=now_2.device)
        else:
            deviation_2, mean_2 = torch.std_mean(self.values_2W[:, : min(before, window)], dim=1)
            # A NaN is not within any bound.
            far = ~(now_2 - mean_2 <= self.settings.sigmas * deviation_2).all()
        self.values_2W[:, before % window] = now_2
        return far
