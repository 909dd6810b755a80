"""`OUTPUT/checkpoints/step-0001000`: which there are, what run they are of, and which are to go. Without torch.

A checkpoint is a folder of torch.distributed.checkpoint's with `state.json` beside it. It is written as
`step-0001000.partial` and renamed when every rank has written and synced its files: a folder with the whole name is whole.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from dolmino_cli.errors import ConfigError, DataError, StorageError

FORMAT, VERSION = "dolmino checkpoint", 1
STATE = "state.json"
PARTIAL = ".partial"
_NAME = re.compile(r"step-(\d{7,})")
_MOST_DIFFERENCES = 4


@dataclass(frozen=True, kw_only=True)
class State:
    """`state.json`: where a run stood, and what makes it that run."""

    format: str = FORMAT
    version: int = VERSION
    id: str
    """Made up anew for every checkpoint: its weights go by this name."""
    step: int
    """Steps done. The data needs no more: step s reads the same windows however it was reached."""
    run: dict[str, Any]
    """Run.decides()."""
    mix: dict[str, Any]
    """Hashes of the mix's arrays."""
    start: dict[str, Any]
    """Hashes, or the origin, of the weights before step 1."""
    model: dict[str, Any]
    """The configuration, as config.json has it."""
    ran: dict[str, Any]
    """How it was run: world size, hardware, versions. May differ from one start to the next."""

    def to_json(self) -> bytes:
        """The file's bytes."""
        return json.dumps(asdict(self), indent=1).encode() + b"\n"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A whole checkpoint."""

    folder: Path
    step: int

    def state(self) -> State:
        """What it is of. Raises DataError."""
        path = self.folder / STATE
        try:
            state = msgspec.json.decode(path.read_bytes(), type=State)
        except (OSError, msgspec.DecodeError) as error:
            raise DataError(f"is not the state of a checkpoint: {error}; remove the folder", path=str(path)) from None
        if (state.format, state.version) != (FORMAT, VERSION):
            found = f"is {state.format!r} version {state.version}, this dolmino reads {FORMAT!r} version {VERSION}"
            raise DataError(f"{found}; go on with the dolmino that wrote it", path=str(path))
        return state


def folder_of(output: Path, step: int) -> Path:
    """Where the checkpoint of a step stands when it is whole."""
    return output / "checkpoints" / f"step-{step:07d}"


def checkpoints_of(output: Path) -> list[Checkpoint]:
    """All whole checkpoints of a run's output folder, the oldest first."""
    folder = output / "checkpoints"
    named = [(path, _NAME.fullmatch(path.name)) for path in folder.iterdir()] if folder.is_dir() else []
    found = [Checkpoint(folder=path, step=int(match[1])) for path, match in named if match and path.is_dir()]
    return sorted(found, key=lambda checkpoint: checkpoint.step)


def checkpoint_of(place: Path, step: int | None = None) -> Checkpoint:
    """The checkpoint that a folder is, or the newest (or that of `step`) of the run whose output it is. Raises ConfigError."""
    if (place / STATE).is_file() and (match := _NAME.fullmatch(place.name)):
        return Checkpoint(folder=place, step=int(match[1]))
    found = checkpoints_of(place)
    if not found:
        raise ConfigError(f"{place} has no checkpoints; give the output folder of a run of dolmino, or a checkpoint in it")
    if step is None:
        return found[-1]
    for checkpoint in found:
        if checkpoint.step == step:
            return checkpoint
    raise ConfigError(f"{place} has no checkpoint of step {step}; it has {', '.join(str(each.step) for each in found)}")


def refuse_another_run(checkpoint: Checkpoint, *, run: dict[str, Any], mix: dict[str, Any], start: dict[str, Any] | None) -> None:
    """Raise ConfigError, naming what differs, unless a run that decides so, on that mix, from those weights, wrote it.

    `start` None: the weights are not compared.
    """
    state = checkpoint.state()
    now, was = {"run": run, "mix": mix, "start": start}, {"run": state.run, "mix": state.mix, "start": state.start}
    if start is None:
        del now["start"], was["start"]
    mine, theirs = _flat(json.loads(json.dumps(now))), _flat(was)
    differ = [
        f"{key} is {mine.get(key)!r}, was {theirs.get(key)!r}" for key in {**theirs, **mine} if mine.get(key) != theirs.get(key)
    ]
    if differ:
        more = f" and {len(differ) - _MOST_DIFFERENCES} more" if len(differ) > _MOST_DIFFERENCES else ""
        raise ConfigError(
            f"{checkpoint.folder} is a checkpoint of another run: {'; '.join(differ[:_MOST_DIFFERENCES])}{more}."
            " Give another --output, or the request that it was begun with"
        )


def publish(partial: Path, state: State) -> None:
    """Make a checkpoint whose files are all written a whole one. Raises StorageError."""
    whole = partial.with_name(partial.name.removesuffix(PARTIAL))
    try:
        with (partial / STATE).open("wb") as file:
            file.write(state.to_json())
            file.flush()
            os.fsync(file.fileno())
        partial.rename(whole)
        _sync_folder(whole.parent)
    except OSError as error:
        raise StorageError(f"checkpoint {whole} cannot be written: {error.strerror}; make room, and run again") from None


def remove_old(output: Path, *, keep: int, final_step: int) -> None:
    """Keep the newest `keep` checkpoints, and that of the run's last step besides. Raises StorageError."""
    others = [checkpoint for checkpoint in checkpoints_of(output) if checkpoint.step != final_step]
    with _removing(output):
        for checkpoint in others[:-keep]:
            # Not whole any more before its first file is gone.
            doomed = checkpoint.folder.with_name(checkpoint.folder.name + PARTIAL)
            checkpoint.folder.rename(doomed)
            shutil.rmtree(doomed)


def remove_partial(output: Path) -> None:
    """What a killed run left half-written, or half-removed. Raises StorageError."""
    with _removing(output):
        for path in (output / "checkpoints").glob(f"*{PARTIAL}"):
            shutil.rmtree(path)


@contextmanager
def _removing(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"old checkpoints of {output} cannot be removed: {error}; make it writable, and run again") from None


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(values, dict):
        return {prefix: values}
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _flat(value, f"{prefix}.{key}" if prefix else key)
    return found


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
