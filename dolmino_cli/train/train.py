"""train(): a whole run, called by every one of its processes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist

from dolmino_cli.errors import RunFailed, first_line
from dolmino_cli.train.checkpoint_files import tokenizer_files_in
from dolmino_cli.train.checkpoint_folder import EXPORTED
from dolmino_cli.train.loop import Loop
from dolmino_cli.train.model.export import export
from dolmino_cli.train.planning.devices import found_gpu
from dolmino_cli.train.planning.throughput import Throughput
from dolmino_cli.train.prepare import Prepared, prepare
from dolmino_cli.train.ranks import Ranks, joined_ranks
from dolmino_cli.train.run_file import Run
from dolmino_cli.train.saving.origin import ORIGIN
from dolmino_cli.train.saving.output import claimed
from dolmino_cli.train.saving.save import Saver
from dolmino_cli.train.watch.metric_files import MetricFiles
from dolmino_cli.train.watch.readings import Reading, Readings
from dolmino_cli.train.watch.stop_signals import StopSignals
from dolmino_cli.train.watch.trackers import trackers_of
from dolmino_cli.train.watch.watchdog import Watchdog
from dolmino_cli.train.whole_file import write_whole

DONE = "done.json"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """How a run ended."""

    steps_done: int
    steps: int
    stopped_by: str | None
    """The signal that it was asked to stop with, by this process; None where all steps are done."""
    model: Path | None
    """The exported Hugging Face checkpoint."""

    @property
    def complete(self) -> bool:
        """Are all steps done?"""
        return self.steps_done == self.steps


def train(run: Run, *, say: Callable[[str], None], progress: Callable[[Reading], None] = lambda reading: None) -> Trained:
    """Train as the run says, from where its output stands. Every process of the run calls it.

    `say` gets remarks and `progress` readings, on rank 0; the watchdog says its last word on whichever rank. The same call again
    goes on from the newest checkpoint, on any number of processes. `OUTPUT/done.json` is written when nothing is left to do.

    Raises ConfigError, DataError, StorageError, MissingExtra, RunFailed: one process does, the others leave with SystemExit and
    without a word.
    """
    with joined_ranks(timeout_seconds=run.watch.timeout_seconds) as ranks, ExitStack() as open_things:
        say_once = say if ranks.first else lambda text: None
        signals = StopSignals()
        open_things.enter_context(signals.heard())
        open_things.enter_context(_said_in_a_line(ranks))
        if run.output is not None:  # else prepare refuses
            open_things.enter_context(claimed(Path(run.output).expanduser(), ranks, say=say_once))
        prepared = prepare(run, ranks, say=say_once)
        watchdog = Watchdog(timeout_seconds=run.watch.timeout_seconds, rank=ranks.rank, world_size=ranks.world_size, say=say)
        with ranks.together():
            loop = _loop_of(prepared, watchdog, signals, say_once, progress, open_things)
        open_things.enter_context(watchdog.watching())
        if ranks.device.type == "cuda" and os.environ.get("DOLMINO_DEBUG"):
            # Of every place where the host waits for the GPU; none but the readings and checkpoints should.
            torch.cuda.set_sync_debug_mode("warn")
        done = loop.run()
        model = None
        if done:
            watchdog.doing("the export")
            model = _exported(prepared, say_once)
            with ranks.together():
                _write_done(prepared, model)
        else:
            say_once(f"stopped after step {loop.step:,} of {prepared.steps:,}; run the same command to go on")
        return Trained(steps_done=loop.step, steps=prepared.steps, stopped_by=None if done else signals.asked, model=model)


@contextmanager
def _said_in_a_line(ranks: Ranks) -> Iterator[None]:
    """What torch raises where a GPU is too small or another process is gone, as RunFailed: of rank 0, others end quietly."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise RunFailed(
            f"rank {ranks.rank} has too little GPU memory: {first_line(error)} Lower hardware.micro_batch_sequences, or set"
            " hardware.activation_checkpointing to full; more GPUs help too"
        ) from error
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):
            raise
        if not ranks.first:
            raise SystemExit(1) from error
        lost = f"rank 0 lost another process: {first_line(error)}"
        raise RunFailed(
            f"{lost}; what that one said tells why. Run the same command to go on from the last checkpoint"
        ) from error


def _loop_of(
    prepared: Prepared,
    watchdog: Watchdog,
    signals: StopSignals,
    say: Callable[[str], None],
    progress: Callable[[Reading], None],
    open_things: ExitStack,
) -> Loop:
    run, ranks, done = prepared.run, prepared.ranks, prepared.steps_done
    files = MetricFiles(prepared.output / "metrics", after_step=done) if ranks.first else None
    trackers = trackers_of(run, prepared.output, after_step=done) if ranks.first else []
    for tracker in trackers:
        open_things.callback(tracker.close)
    cuda = ranks.device.type == "cuda"
    found = found_gpu() if cuda and ranks.first else None  # a site may have capped its power
    throughput = Throughput.of(
        prepared.start.config.to_dict(),
        sequence_length=run.sequence_length,
        device_name=torch.cuda.get_device_name(ranks.device) if cuda else "CPU",
        gpus=ranks.world_size,
        watts=found.watts if found is not None else None,
    )
    readings = Readings(
        run,
        steps=prepared.steps,
        sources=prepared.data.sources,
        throughput=throughput,
        device=ranks.device,
        before=files.steps_before if files else (),
    )
    saver = open_things.enter_context(closing(Saver(prepared.output, ranks, run.saving, final_step=prepared.steps, say=say)))
    return Loop(
        prepared=prepared,
        saver=saver,
        readings=readings,
        files=files,
        trackers=trackers,
        watchdog=watchdog,
        signals=signals,
        progress=progress,
        step=done,
        saved_step=done,
    )


def _exported(prepared: Prepared, say: Callable[[str], None]) -> Path | None:
    """The run's model as a Hugging Face checkpoint, written now unless it is there; None where the run does not want one."""
    saving, folder = prepared.run.saving, prepared.output / EXPORTED
    if not saving.export:
        return None
    if not prepared.ranks.of_first(folder.exists()):
        with prepared.ranks.together():
            tokenizer = tokenizer_files_in(prepared.output / ORIGIN) or None
            files = prepared.start.files
            export(prepared.model, folder, checkpoint=files, dtype=saving.export_dtype, tokenizer_files=tokenizer)
        without = "" if tokenizer else "; without a tokenizer: copy the mix's there, of which this machine knows no files"
        say(f"model written to {folder}{without}")
    return folder


def _write_done(prepared: Prepared, model: Path | None) -> None:
    if not prepared.ranks.first:
        return
    done = {"step": prepared.steps, "model": model.name if model else None}
    write_whole(prepared.output / DONE, json.dumps(done) + "\n")
