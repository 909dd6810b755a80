"""Where readings also go when asked: TensorBoard and Weights & Biases."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from dolmino_cli.errors import MissingExtra, StorageError, first_line
from dolmino_cli.train.run_file import Run


class Tracker(Protocol):
    """Takes numbers by name."""

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Of one reading."""

    def close(self) -> None:
        """Nothing more comes."""


def trackers_of(run: Run, output: Path, *, after_step: int) -> list[Tracker]:
    """Those that `run.watch` asks for. Raises MissingExtra, StorageError."""
    found: list[Tracker] = []
    if run.watch.tensorboard:
        found.append(_TensorBoard(output / "metrics" / "tensorboard", after_step))
    if run.watch.wandb_project is not None:
        found.append(_WandB(run, output))
    return found


def numbers_of(reading: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """A reading's numbers, those by source as `loss_by_source/dclm`."""
    found: dict[str, float] = {}
    for key, value in reading.items():
        if isinstance(value, Mapping):
            found |= numbers_of(value, f"{prefix}{key}/")
        elif isinstance(value, int | float):
            found[prefix + key] = float(value)
    return found


class _TensorBoard:
    def __init__(self, folder: Path, after_step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise MissingExtra("tensorboard", extra="tracking", needed_for="watch.tensorboard") from None
        # What an earlier start wrote of later steps is hidden.
        self._writer = SummaryWriter(str(folder), purge_step=after_step + 1)

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class _WandB:
    """Offline with WANDB_MODE=offline, as W&B has it; `wandb sync` sends it later."""

    def __init__(self, run: Run, output: Path) -> None:
        try:
            import wandb
        except ImportError:
            raise MissingExtra("wandb", extra="tracking", needed_for="watch.wandb_project") from None
        # The same run goes on under the same id; steps that W&B has already are not taken twice.
        identity = hashlib.sha256(f"{run.name}\0{output.resolve()}".encode()).hexdigest()[:16]
        try:
            self._run: Any = wandb.init(
                project=run.watch.wandb_project,
                name=run.name,
                id=identity,
                resume="allow",
                dir=str(output),
                config=run.decides(),
                settings=wandb.Settings(silent=True),
            )
        except Exception as error:  # noqa: BLE001 - no key, no network, no such project: whatever wandb raises
            raise StorageError(
                f"watch.wandb_project {run.watch.wandb_project}: {first_line(error)} Set WANDB_MODE=offline, or leave it out"
            ) from None

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        self._run.log(dict(numbers), step=step)

    def close(self) -> None:
        self._run.finish()
