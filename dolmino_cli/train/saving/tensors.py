"""Which tensors a checkpoint holds, by what names, and how they come back: on any number of GPUs, into the same places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException

from dolmino_cli.errors import ConfigError, DataError, StorageError, first_line
from dolmino_cli.train.model.build import TrainedModel
from dolmino_cli.train.model.weights_in import named_weights
from dolmino_cli.train.optimizer import AdamW
from dolmino_cli.train.ranks import Ranks
from dolmino_cli.train.skip_step import SkipHistory


def trained_weights(model: TrainedModel) -> dict[str, Tensor]:
    """A model's weights by Hugging Face's names, a tied one once; writing into them loads them."""
    return {name: weight.detach() for name, weight in named_weights(model)}


def tensors_of(weights: dict[str, Tensor], optimizer: AdamW, history: SkipHistory | None) -> dict[str, Any]:
    """What a checkpoint holds: views of the run's own tensors, sharded as they are."""
    found: dict[str, Any] = {
        "weights": weights,
        "moments": optimizer.moments(),
    }
    return found if history is None else {**found, "skip_history": history.values_2W}


def load_run(folder: Path, weights: dict[str, Tensor], optimizer: AdamW, history: SkipHistory | None, ranks: Ranks) -> None:
    """Put a run back where its checkpoint stands. Raises DataError, StorageError."""
    _load(folder, tensors_of(weights, optimizer, history), ranks)
    optimizer.moments_were_loaded()


def load_weights(folder: Path, weights: dict[str, Tensor], ranks: Ranks) -> None:
    """Start from the weights of another run's checkpoint. Raises DataError, ConfigError."""
    _load(folder, {"weights": weights}, ranks)


def load_moments(folder: Path, optimizer: AdamW, ranks: Ranks) -> None:
    """Start with the moments of another run's checkpoint. Raises DataError, ConfigError."""
    _load(folder, {"moments": optimizer.moments()}, ranks)
    optimizer.moments_were_loaded()


def _load(folder: Path, tensors: dict[str, Any], ranks: Ranks) -> None:
    """All ranks call it, and fail together."""
    with ranks.together():
        _check_names(folder, tensors)
    with ranks.together():
        try:
            dcp.load(tensors, storage_reader=dcp.FileSystemReader(folder), process_group=ranks.saving_group)
        except (Exception, CheckpointException) as error:  # noqa: BLE001 - torch's is no Exception
            problem = f"cannot be read: {cause_of(error)}; remove it to go on from the one before"
            raise _not_given(folder, error) or DataError(problem, path=str(folder)) from None


def _check_names(folder: Path, tensors: dict[str, Any]) -> None:
    """Raise ConfigError for tensors that the checkpoint does not have, or has in another shape; DataError."""
    try:
        held = dcp.FileSystemReader(folder).read_metadata().state_dict_metadata
    except Exception as error:  # noqa: BLE001 - a damaged pickle raises whatever its bytes say
        problem = f"is not a checkpoint that can be read: {first_line(error)}; remove it"
        raise _not_given(folder, error) or DataError(problem, path=str(folder)) from None
    for group, of in tensors.items():
        for name, tensor in _leaves(of, group):
            found = getattr(held.get(name), "size", None)
            if found is None or tuple(found) != tuple(tensor.shape):
                what = "nothing" if found is None else f"shape {list(found)}"
                problem = f"{folder} has {what} for {name}, this model has shape {list(tensor.shape)}"
                raise ConfigError(f"{problem}; give a checkpoint of the same model")


def cause_of(error: BaseException) -> str:
    """What went wrong on the first rank where torch's checkpointing failed, in one line."""
    cause = _cause(error)
    return first_line(cause if isinstance(cause, Exception) else Exception(str(cause)))


def _cause(error: BaseException) -> BaseException:
    wrapped = next(iter(error.failures.values()), None) if isinstance(error, CheckpointException) else None
    return wrapped[0] if wrapped else error


def _not_given(folder: Path, error: BaseException) -> StorageError | None:
    """Where the disk failed, and not the checkpoint, which may be whole: nobody is to remove it for that."""
    cause = _cause(error)
    if not isinstance(cause, OSError) or isinstance(cause, FileNotFoundError):
        return None
    return StorageError(f"{folder}: cannot be read: {cause.strerror or cause}; run the same command again")


def _leaves(values: Any, prefix: str) -> list[tuple[str, Any]]:
    if not isinstance(values, dict):
        return [(prefix, values)]
    return [leaf for key, value in values.items() for leaf in _leaves(value, f"{prefix}.{key}")]
