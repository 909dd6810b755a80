"""Readings: what the steps measured, read from the device together every so often: the only time that the host waits for it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dolmino_cli.train.planning.throughput import Throughput
from dolmino_cli.train.run_file import Run
from dolmino_cli.train.step import Measured
from dolmino_cli.train.watch.spikes import SpikeScore


@dataclass(frozen=True, kw_only=True)
class StepLine:
    """One step, as `metrics/steps.jsonl` has it."""

    step: int
    tokens: int
    """Seen since step 1, masked ones too."""
    loss: float
    """Cross-entropy in nats: the mean over the batch's targets that count."""
    z: float
    """Squared log-sum-exp of the logits, the mean over the same; without its factor."""
    objective: float
    """What was minimised: (cross-entropy + z_loss x z), summed, by the denominator that the run asks for."""
    learning_rate: float
    gradient_norm: float
    """Global, before it was cut."""
    left_out: bool
    """The update was left out: not finite, or far above those before (optimizer.skip_step)."""
    windows_sha256: str
    """Of the numbers of the batch's windows, as little-endian int64, in order: which data it was."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The steps since the reading before, as `metrics/readings.jsonl` has it."""

    step: int
    """The last of them."""
    steps: int
    """Of the run."""
    tokens: int
    """Seen since step 1."""
    loss: float
    z: float
    learning_rate: float
    """Of the last step."""
    gradient_norm_mean: float
    gradient_norm_max: float
    loss_by_source: dict[str, float | None]
    """Mean over a source's targets that count; None where there were none."""
    tokens_by_source: dict[str, int]
    """Targets, masked ones too."""
    masked_percent_by_source: dict[str, float | None]
    """Of the targets: those that do not count."""
    left_out_steps: int
    loss_spike_score: float
    """Percent, since step 1 (spikes.py)."""
    gradient_norm_spike_score: float
    seconds_per_step: float
    tokens_per_second: float
    tokens_per_second_per_gpu: float
    mfu_full: float | None
    """Model FLOPs utilisation, 0 to 1, attention over the whole window; None where device or model is not known (throughput)."""
    mfu_causal: float | None
    kilowatt_hours: float | None
    """At most so much, since the process started."""
    memory_peak_gib: float | None
    """Of this process's GPU, since the reading before."""
    data_wait_seconds: float
    """How long the host waited for batches. The device need not have."""
    seconds_left: float
    """At this speed."""


class Readings:
    """Holds the steps' figures on the device until they are read, in one transfer."""

    def __init__(
        self,
        run: Run,
        *,
        steps: int,
        sources: tuple[str, ...],
        throughput: Throughput,
        device: torch.device,
        before: Iterable[Mapping[str, Any]],
    ) -> None:
        """`before`: the lines of the steps that were made before this start."""
        self._run, self._steps, self._sources, self._throughput, self._device = run, steps, sources, throughput, device
        self._rows: list[Tensor] = []
        self._known: list[tuple[int, float, str]] = []
        lines = list(before)
        self._loss_spikes = SpikeScore(line["loss"] for line in lines if line["loss"] is not None)
        self._norm_spikes = SpikeScore(line["gradient_norm"] for line in lines if line["gradient_norm"] is not None)
        self.data_wait_seconds = 0.0
        self._started = self._read = time.perf_counter()

    def add(self, step: int, measured: Measured, *, rate: float, windows_sha256: str) -> None:
        """One more step; nothing is read."""
        scalars = [value.to(torch.float64).reshape(1) for value in (measured.denominator, measured.norm, measured.left_out)]
        self._rows.append(torch.cat([*scalars, measured.sums]))
        self._known.append((step, rate, windows_sha256))

    @property
    def waiting(self) -> bool:
        """Was a step added since the last reading?"""
        return bool(self._rows)

    def read(self) -> tuple[list[StepLine], Reading]:
        """All that was added since the last reading, at least one step. Waits for the device."""
        rows = torch.stack(self._rows).cpu().tolist()
        lines = [self._line(known, row) for known, row in zip(self._known, rows, strict=True)]
        totals = [sum(column) for column in zip(*rows, strict=True)]
        self._rows, self._known = [], []
        for line in lines:
            self._loss_spikes.add(line.loss)
            self._norm_spikes.add(line.gradient_norm)
        return lines, self._reading(lines, totals[3:])

    def _line(self, known: tuple[int, float, str], row: list[float]) -> StepLine:
        step, rate, windows_sha256 = known
        denominator, norm, left_out, ce, z = row[:5]
        counted = max(sum(row[5 + len(self._sources) : 5 + 2 * len(self._sources)]), 1.0)
        return StepLine(
            step=step,
            tokens=step * self._run.batch_tokens,
            loss=ce / counted,
            z=z / counted,
            objective=(ce + self._run.loss.z_loss * z) / denominator,
            learning_rate=rate,
            gradient_norm=norm,
            left_out=bool(left_out),
            windows_sha256=windows_sha256,
        )

    def _reading(self, lines: list[StepLine], sums: list[float]) -> Reading:
        number, last = len(self._sources), lines[-1]
        ce_S, counted_S, targets_S = (sums[2 + number * group : 2 + number * (group + 1)] for group in range(3))
        counted = max(sum(counted_S), 1.0)
        norms = [line.gradient_norm for line in lines]
        now = time.perf_counter()
        seconds, self._read = now - self._read, now
        waited, self.data_wait_seconds = self.data_wait_seconds, 0.0
        a_second = len(lines) * self._run.batch_tokens / seconds
        a_gpu = a_second / self._throughput.gpus
        return Reading(
            step=last.step,
            steps=self._steps,
            tokens=last.tokens,
            loss=sums[0] / counted,
            z=sums[1] / counted,
            learning_rate=last.learning_rate,
            gradient_norm_mean=sum(norms) / len(norms),
            gradient_norm_max=max(norms),
            loss_by_source={name: ce / of if of else None for name, ce, of in zip(self._sources, ce_S, counted_S, strict=True)},
            tokens_by_source={name: int(of) for name, of in zip(self._sources, targets_S, strict=True)},
            masked_percent_by_source={
                name: 100 * (1 - of / targets) if targets else None
                for name, of, targets in zip(self._sources, counted_S, targets_S, strict=True)
            },
            left_out_steps=sum(line.left_out for line in lines),
            loss_spike_score=self._loss_spikes.percent,
            gradient_norm_spike_score=self._norm_spikes.percent,
            seconds_per_step=seconds / len(lines),
            tokens_per_second=a_second,
            tokens_per_second_per_gpu=a_gpu,
            mfu_full=self._throughput.mfu(a_gpu, "full"),
            mfu_causal=self._throughput.mfu(a_gpu, "causal"),
            kilowatt_hours=self._throughput.kilowatt_hours(now - self._started),
            memory_peak_gib=self._memory_peak_gib(),
            data_wait_seconds=waited,
            seconds_left=(self._steps - last.step) * seconds / len(lines),
        )

    def _memory_peak_gib(self) -> float | None:
        if self._device.type != "cuda":
            return None
        peak = torch.cuda.max_memory_allocated(self._device) / 2**30
        torch.cuda.reset_peak_memory_stats(self._device)
        return float(peak)
