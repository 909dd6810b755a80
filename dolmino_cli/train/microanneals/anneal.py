"""Anneal: one small run of a sweep, from its manifest to the commands that make it."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dolmino_cli import strict_yaml
from dolmino_cli.bundled import find
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.manifest import Manifest, load
from dolmino_cli.train.learning_rate import LearningRate
from dolmino_cli.train.read_run import run_yaml
from dolmino_cli.train.run_file import Run
from dolmino_cli.train.whole_file import write_whole

SEED = 7201
"""Of the released microanneals (allenai/OLMo, configs/microannealing/*.yaml)."""
_DOLMINO = ("-m", "dolmino_cli.cli.main")


@dataclass(frozen=True, kw_only=True)
class Anneal:
    """What is made in a folder of its own: `mix/`, `run.yaml`, `train/`, logs and `done.json`."""

    name: str
    plan: Path
    manifest: Manifest
    folder: Path
    run: Run

    @property
    def run_file(self) -> Path:
        """What is trained, every value written out."""
        return self.folder / "run.yaml"

    @property
    def model(self) -> Path:
        """The output of the training, which stands for the model that it ends with."""
        return self.folder / "train"

    def sample_command(self, arrays: str | None, *, workers: int, memory_bytes: int) -> list[str]:
        """`dolmino sample` of the plan, which does what a sweep does."""
        where = ["--arrays", arrays] if arrays is not None else []
        how = ["--workers", str(workers), "--memory", f"{memory_bytes / 2**30:g}GiB"]
        return [sys.executable, *_DOLMINO, "sample", str(self.plan), *where, "-o", str(self.folder / "mix"), *how]

    def train_command(self, launch: str | None) -> list[str]:
        """`dolmino train` of the run file, by a launcher such as torchrun."""
        started = shlex.split(launch) if launch is not None else [sys.executable]
        return [*started, *_DOLMINO, "train", str(self.run_file)]

    def eval_command(self, task: str) -> list[str]:
        """`dolmino eval` of the trained model."""
        output = str(self.folder / "evaluations")
        return [sys.executable, *_DOLMINO, "eval", str(self.model), "--task", task, "-o", output, "--json"]


def anneal_of(name: str, *, base: Run | None, checkpoint: str | None, output: Path, seed: int | None) -> Anneal:
    """The run of a plan: a manifest's path or the name of a bundled mix.

    Batch, windows, steps and learning rates are those of the manifest's `training`; all else is of `base`, or as a Run has
    it. Raises ConfigError.
    """
    plan = find("mixes", name)
    manifest = load(plan)
    folder = output / manifest.name
    training = manifest.training
    if training is None:
        raise ConfigError(
            f"{plan} has no training; give it batch_sequences and learning_rate, as `dolmino microanneal plan` does"
        )
    rate = training.learning_rate
    if rate is None and base is None:
        raise ConfigError(f"{plan}: training has no learning_rate; give it one, or a --run that has")
    values: dict[str, Any] = {
        "name": manifest.name,
        "batch_sequences": training.batch_sequences,
        "sequence_length": training.sequence_length,
        "steps": training.steps,
        "mix": str(folder / "mix"),
        "output": str(folder / "train"),
        **({"learning_rate": LearningRate(start=rate.start, end=rate.end)} if rate is not None else {}),
        **({"checkpoint": checkpoint} if checkpoint is not None else {}),
        **({"seed": seed} if seed is not None else {}),
    }
    run = dataclasses.replace(base, **values) if base is not None else Run(**({"seed": SEED} | values))
    if run.checkpoint is None and run.shape is None:
        raise ConfigError("no --checkpoint; give the weights that every run starts from")
    run = dataclasses.replace(run, saving=dataclasses.replace(run.saving, export=True))
    return Anneal(name=manifest.name, plan=plan, manifest=manifest, folder=folder, run=run)


def write_run_file(anneal: Anneal) -> None:
    """Write the run file. Raises ConfigError where one of another run is: what was trained by it is not this."""
    check_run_file(anneal)
    write_whole(anneal.run_file, run_yaml(anneal.run))


def check_run_file(anneal: Anneal) -> None:
    """Raise ConfigError where a run file of another run stands."""
    path = anneal.run_file
    if not path.is_file():
        return
    there = strict_yaml.load(path, Run)
    ours, theirs = ({**run.decides(), "checkpoint": run.checkpoint, "revision": run.revision} for run in (anneal.run, there))
    if different := [key for key in ours if ours[key] != theirs[key]]:
        raise ConfigError(
            f"{path} is of another run: {different[0]} is {theirs[different[0]]} there and {ours[different[0]]} now; give another"
            f" --output, or remove {anneal.folder}"
        )
