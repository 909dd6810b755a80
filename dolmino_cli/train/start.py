"""Where a run's weights come from: a Hugging Face checkpoint, a checkpoint of another run of ours, or chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.train.checkpoint_files import file_sha256
from dolmino_cli.train.model.build import TrainedModel
from dolmino_cli.train.model.checkpoint import Checkpoint, open_checkpoint
from dolmino_cli.train.model.weights_in import fill, fill_random
from dolmino_cli.train.planning.shapes import config_of
from dolmino_cli.train.ranks import Ranks
from dolmino_cli.train.run_file import Run
from dolmino_cli.train.saving.checkpoints import STATE, checkpoint_of
from dolmino_cli.train.saving.origin import read_origin
from dolmino_cli.train.saving.tensors import load_weights, trained_weights


@dataclass(frozen=True, kw_only=True)
class Start:
    """A configuration and its weights before step 1."""

    config: Any
    """transformers' PreTrainedConfig."""
    files: Checkpoint | None
    """Where its configuration and tokenizer are; None for random weights, which have none."""
    identity: dict[str, Any]
    """What a checkpoint remembers these weights by."""
    fill: Callable[[TrainedModel], None]
    """Write them into a model of that configuration. All ranks call it, and fail together."""


def start_of(run: Run, ranks: Ranks) -> Start:
    """What `run.checkpoint`, or `run.shape` without one, says. All ranks call it. Raises ConfigError, DataError."""
    if run.checkpoint is None:
        if run.shape is None:
            raise ConfigError("neither checkpoint nor shape is given; give what to train, or the shape of random weights")
        identity = {"random": run.shape, "seed": run.seed}
        return Start(config=config_of(run.shape), files=None, identity=identity, fill=lambda model: fill_random(model, run.seed))
    folder = Path(run.checkpoint).expanduser()
    if (folder / STATE).is_file():
        return _of_our_checkpoint(folder, ranks)
    with ranks.together():
        # One process a node would do; the hub's client makes the others wait, and finds the files there.
        checkpoint = open_checkpoint(run.checkpoint, run.revision)

    def fill_from_files(model: TrainedModel) -> None:
        with ranks.together():
            fill(model, checkpoint)

    return Start(
        config=checkpoint.config,
        files=checkpoint,
        # The configuration too: another rope_theta or norm_eps in it is another model of the same weights.
        identity={"sha256": _sha256_of([checkpoint.folder / "config.json", *checkpoint.weight_files], ranks)},
        fill=fill_from_files,
    )


def _of_our_checkpoint(folder: Path, ranks: Ranks) -> Start:
    with ranks.together():
        checkpoint = checkpoint_of(folder)
        state = checkpoint.state()
        files = read_origin(checkpoint.folder, state.model)
    return Start(
        config=files.config,
        files=files,
        identity={"checkpoint": state.id},
        fill=lambda model: load_weights(checkpoint.folder, trained_weights(model), ranks),
    )


def _sha256_of(paths: list[Path], ranks: Ranks) -> dict[str, str]:
    """sha256 (hex) by file name; the ranks share the work, which is about 1 s a GB."""
    mine: dict[str, str] = {}
    with ranks.together():
        for path in paths[ranks.rank :: ranks.world_size]:
            mine[path.name] = file_sha256(path)
    found = {name: digest for part in ranks.of_all(mine) for name, digest in part.items()}
    if len(found) != len(paths):
        raise DataError("has weight files of the same name in two folders", path=str(paths[0].parent))
    return dict(sorted(found.items()))
