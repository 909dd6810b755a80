"""One step: a rank's windows in micro-batches through the model, one update, and the row of what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor

from dolmino_cli.train.data.step_batch import StepBatch
from dolmino_cli.train.optimizer import AdamW
from dolmino_cli.train.ranks import Ranks
from dolmino_cli.train.run_file import Run
from dolmino_cli.train.skip_step import SkipHistory

if TYPE_CHECKING:
    from dolmino_cli.train.model.build import TrainedModel


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One step's figures on the device, equal on all ranks (S: sources of the mix)."""

    sums: Tensor
    """float64, over the batch: cross-entropy, squared log-sum-exp; then by source S cross-entropies, S targets that counted, and
    S targets in all."""
    denominator: Tensor
    """What the step's loss was divided by."""
    norm: Tensor
    """The gradient's, before it was cut."""
    left_out: Tensor
    """Was the update left out: not finite, or far above those before (skip_step)?"""


class Stepper:
    """Makes steps. Nothing in it waits for the device: whatever depends on a value there is decided there."""

    def __init__(
        self, run: Run, ranks: Ranks, model: TrainedModel, optimizer: AdamW, history: SkipHistory | None, sources: int
    ) -> None:
        self.run, self.ranks, self.model, self.optimizer = run, ranks, model, optimizer
        self.history, self.sources = history, sources

    def step(self, batch: StepBatch, rate: float) -> Measured:
        """Train on a batch at a learning rate; the update is left out where loss or gradient are not finite, or far above."""
        denominator = self._denominator(batch)
        sums = self._gradients(batch, self.ranks.world_size / denominator)
        norm = self.optimizer.cut_gradients()
        loss = sums[0] / sums[2 + self.sources : 2 + 2 * self.sources].sum().clamp(min=1)
        left_out = ~(torch.isfinite(sums[:2]).all() & torch.isfinite(norm))
        if self.history is not None:
            left_out = left_out | self.history.far_above(batch.step, loss, norm)
        self.optimizer.update(rate, left_out)
        return Measured(sums=sums, denominator=denominator, norm=norm, left_out=left_out)

    def warm_in(self, batch: StepBatch) -> None:
        """Let a batch's gradient, cut as in a step, enter the moments; at rate 0 no weight moves."""
        self._gradients(batch, self.ranks.world_size / self._denominator(batch))
        norm = self.optimizer.cut_gradients()
        self.optimizer.update(0.0, ~torch.isfinite(norm))

    def _denominator(self, batch: StepBatch) -> Tensor:
        """What the batch's sums, of all ranks, are divided by (Loss.denominator)."""
        windows, length = self.run.batch_sequences, self.run.sequence_length
        if self.run.loss.denominator != "counted":
            targets = windows * (length - 1 if self.run.loss.denominator == "targets" else length)
            return _on(self.ranks.device, torch.tensor(float(targets), dtype=torch.float64))
        counted = _on(self.ranks.device, torch.tensor(float(batch.counts_RL.sum()), dtype=torch.float64))
        dist.all_reduce(counted)
        return counted.clamp(min=1)

    def _gradients(self, batch: StepBatch, scale: Tensor) -> Tensor:
        """Forward and backward through all micro-batches. Returns Measured.sums.

        A rank's loss is multiplied by world size / denominator, because FSDP2 averages gradients over the ranks. So every target
        of the batch has one weight, whatever is masked and wherever micro-batches and ranks divide it.
        """
        sums = torch.zeros(2 + 3 * self.sources, dtype=torch.float64, device=self.ranks.device)
        micro_batches = list(self._micro_batches(batch))
        for number, (ids, counts, sources, positions) in enumerate(micro_batches, 1):
            last = number == len(micro_batches)
            # Replicas are reduced over once a step; shards with every micro-batch, unless there is memory to spare.
            self.model.set_requires_all_reduce(last)
            self.model.set_requires_gradient_sync(last or self.run.hardware.reduce_every_micro_batch)
            self.model.set_is_last_backward(last)
            found = self.model(
                ids, counts, sources, positions, z_loss=self.run.loss.z_loss, scale=scale.float(), sources=self.sources
            )
            found.loss.backward()
            of_source = torch.zeros(self.sources, dtype=torch.float64, device=sums.device)
            of_source.index_add_(0, sources[:, 1:].flatten(), torch.ones_like(sources[:, 1:].flatten(), dtype=torch.float64))
            sums += torch.cat([torch.stack([found.ce, found.z]), found.ce_S, found.counted_S, of_source])
        dist.all_reduce(sums)
        return sums

    def _micro_batches(self, batch: StepBatch) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor | None]]:
        """Ids, counts, sources and positions of so many windows at a time, on the device, as int64 and bool."""
        device = self.ranks.device
        positions = None if batch.positions_RL is None else _on(device, torch.from_numpy(batch.positions_RL)).long()
        arrays = [_on(device, torch.from_numpy(array)) for array in (batch.ids_RL, batch.counts_RL, batch.sources_RL)]
        windows = self.run.hardware.micro_batch_sequences
        for start in range(0, len(batch.ids_RL), windows):
            rows = slice(start, start + windows)
            ids, counts, sources = (array[rows] for array in arrays)
            yield ids.long(), counts, sources.long(), None if positions is None else positions[rows]


def _on(device: torch.device, host: Tensor) -> Tensor:
    """A host tensor on the device; from pinned memory, so that the host goes on while earlier steps still run there."""
    return host.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else host
