"""The training loop: from step to step, with readings, checkpoints and an orderly end in between."""

from __future__ import annotations

import gc
import hashlib
import math
import shlex
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

from dolmino_cli.errors import DolminoError, RunFailed, StorageError
from dolmino_cli.train.data.step_batch import StepBatch
from dolmino_cli.train.prepare import Prepared
from dolmino_cli.train.saving.save import Saver
from dolmino_cli.train.watch.metric_files import MetricFiles
from dolmino_cli.train.watch.readings import Reading, Readings, StepLine
from dolmino_cli.train.watch.stop_signals import StopSignals
from dolmino_cli.train.watch.trackers import Tracker, numbers_of
from dolmino_cli.train.watch.watchdog import Watchdog

# What the ranks tell each other before every step; the largest holds for all.
_GO_ON, _STOP, _FAILED = 0, 1, 2

_MOST_WINDOWS_SAID = 64


@dataclass(kw_only=True)
class Loop:
    """A run's steps, on one rank. `step` is the last one done."""

    prepared: Prepared
    saver: Saver
    readings: Readings
    files: MetricFiles | None
    trackers: list[Tracker]
    """Rank 0's; None and empty on others."""
    watchdog: Watchdog
    signals: StopSignals
    progress: Callable[[Reading], None]
    step: int
    saved_step: int
    """Of the newest checkpoint."""

    def run(self) -> bool:
        """Make the steps that are left. Returns whether all are done; not, where a signal came: a checkpoint is written then.

        Raises RunFailed for a loss or gradient that is not finite; DataError and StorageError. All ranks leave together.
        """
        prepared, settings = self.prepared, self.prepared.run
        with garbage_collected_by_hand(), closing(self._batches()) as batches:
            for batch in batches:
                self._step(batch)
                saves = self.step == prepared.steps or self.step % settings.saving.every_steps == 0
                if saves or self.step % settings.watch.every_steps == 0:
                    self._read()
                if saves:
                    self._save()
                if self.step % settings.watch.collect_garbage_every_steps == 0:
                    gc.collect(1)
        if self.step != self.saved_step:
            self._read()
            self._save()
        self.watchdog.doing(f"the checkpoint of step {self.step}")
        with prepared.ranks.together():
            self.saver.finish()
        return self.step == prepared.steps

    def _batches(self) -> Generator[StepBatch, None, None]:
        """The batches of the steps that are left, as long as no rank is asked to stop.

        The hosts agree on every step before it is made, so that none waits in a collective for one that has left. They run ahead
        of their devices, which this costs nothing.
        """
        prepared = self.prepared
        ahead: Any = prepared.data.ahead(self.step + 1, prepared.steps)
        with closing(ahead) as read:
            while self.step < prepared.steps:
                self.watchdog.doing(f"step {self.step + 1}")
                error = batch = None
                since = time.perf_counter()
                try:
                    self.saver.look()
                    batch = next(read)
                except DolminoError as caught:
                    error = caught
                self.readings.data_wait_seconds += time.perf_counter() - since
                agreed = prepared.ranks.most(_FAILED if error else _STOP if self.signals.asked else _GO_ON)
                if agreed == _FAILED:
                    # A checkpoint that is being written is no part of what failed.
                    with suppress(StorageError):
                        self.saver.finish()
                    raise error or SystemExit(1)
                if agreed == _STOP or batch is None:
                    return
                yield batch

    def _step(self, batch: StepBatch) -> None:
        prepared = self.prepared
        rate = prepared.rate(batch.step)
        measured = prepared.stepper.step(batch, rate)
        windows = prepared.data.windows_of_step(batch.step).astype("<i8").tobytes() if self.files else b""
        self.readings.add(batch.step, measured, rate=rate, windows_sha256=hashlib.sha256(windows).hexdigest())
        self.step = batch.step

    def _read(self) -> None:
        if not self.readings.waiting:
            return
        lines, reading = self.readings.read()
        with self.prepared.ranks.together():
            if self.files is not None:
                self.files.write([asdict(line) for line in lines], asdict(reading))
                for tracker in self.trackers:
                    tracker.write(reading.step, numbers_of(asdict(reading)))
                self.progress(reading)
            for line in lines:
                if not all(map(math.isfinite, (line.loss, line.z, line.gradient_norm))):
                    self.saver.finish()
                    raise RunFailed(self._not_finite(line))

    def _save(self) -> None:
        self.watchdog.doing(f"the checkpoint of step {self.step}")
        with self.prepared.ranks.together():
            self.saver.finish()
        self.saver.begin(self.prepared.tensors(), self.prepared.state(self.step))
        self.saved_step = self.step

    def _not_finite(self, line: StepLine) -> str:
        run, windows = self.prepared.run, self.prepared.data.windows_of_step(line.step)
        more = f" and {len(windows) - _MOST_WINDOWS_SAID:,} more" if len(windows) > _MOST_WINDOWS_SAID else ""
        trace = f"dolmino trace {shlex.quote(str(run.mix))} --sequence-length {run.sequence_length}"
        epochs = -(-line.step // self.prepared.data.steps_per_epoch)
        step = f"--step {line.step} --seed {run.seed} --batch {run.batch_sequences}" + (
            f" --epochs {epochs}" if epochs > 1 else ""
        )
        return (
            f"step {line.step:,}: loss {line.loss}, squared log-sum-exp {line.z}, gradient norm {line.gradient_norm}. Its update"
            f" was left out, and the run ended at step {self.step:,}; the checkpoint before is kept. It trained on windows"
            f" {', '.join(map(str, windows[:_MOST_WINDOWS_SAID].tolist()))}{more}. What is in them: {trace} {step}; in one of"
            f" them: {trace} --window {windows[0]}"
        )


@contextmanager
def garbage_collected_by_hand() -> Iterator[None]:
    """No collector of Python's own meanwhile: each rank's would run at another time, and all others would wait for it."""
    was_enabled = gc.isenabled()
    gc.disable()
    gc.collect(1)
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
