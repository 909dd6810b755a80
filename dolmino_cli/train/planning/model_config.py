"""The config.json (and the tokenizer) of the model that a run trains, read without torch and before anything is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dolmino_cli.errors import ConfigError
from dolmino_cli.hub import bars_for_people, endpoint, hub_errors
from dolmino_cli.train.checkpoint_files import read_json
from dolmino_cli.train.checkpoint_folder import hub_id
from dolmino_cli.train.planning.shapes import shape
from dolmino_cli.train.run_file import Run
from dolmino_cli.train.saving.checkpoints import STATE, checkpoint_of, checkpoints_of
from dolmino_cli.train.saving.origin import ORIGIN
from dolmino_cli.train.weight_shards import INDEX, WEIGHTS

CONFIG = "config.json"
_TOKENIZER = "tokenizer.json"


def config_of_run(run: Run) -> dict[str, Any]:
    """What the model is: the checkpoint's config.json, or the shape's entries. Raises DolminoError."""
    if run.checkpoint is None:
        if run.shape is None:
            raise ConfigError("neither checkpoint nor shape is given; give --checkpoint, or `shape: NAME` for random weights")
        return shape(run.shape).config_json()
    folder = _folder(run.checkpoint)
    if folder is None:
        return read_json(_of_hub(run, CONFIG))
    if run.revision is not None:
        raise ConfigError(
            f"revision {run.revision!r} is for hub ids, and checkpoint {run.checkpoint!r} is a folder; leave it out"
        )
    if (folder / CONFIG).is_file():
        if not any((folder / name).is_file() for name in (WEIGHTS, INDEX)):
            raise ConfigError(
                f"checkpoint {run.checkpoint!r} has none of {', '.join((WEIGHTS, INDEX))}; save it again with transformers'"
                " save_pretrained, which writes safetensors"
            )
        return read_json(folder / CONFIG)
    if (folder / STATE).is_file():
        return checkpoint_of(folder).state().model
    if found := checkpoints_of(folder):
        raise ConfigError(
            f"checkpoint {run.checkpoint!r} is a run's output; give its model, or a checkpoint in it: {found[-1].folder}"
        )
    raise ConfigError(f"checkpoint {run.checkpoint!r} holds no {CONFIG}; give a folder of save_pretrained, or a run's checkpoint")


def tokenizer_of_run(run: Run) -> Path | None:
    """The tokenizer.json beside the checkpoint's weights; None where it has none. Raises StorageError."""
    if run.checkpoint is None:
        return None
    folder = _folder(run.checkpoint)
    if folder is not None:
        if (folder / STATE).is_file():  # a checkpoint of a run, whose tokenizer is with what the run started from
            folder = folder.absolute().parent.parent / ORIGIN
        return folder / _TOKENIZER if (folder / _TOKENIZER).is_file() else None
    try:
        return _of_hub(run, _TOKENIZER)
    except ConfigError:
        return None


def _folder(checkpoint: str) -> Path | None:
    """The local folder that is meant, None for a hub id. Raises ConfigError for a path that is none."""
    path = Path(checkpoint).expanduser()
    if path.is_dir():
        return path
    if "://" in checkpoint:
        raise ConfigError(f"checkpoint {checkpoint!r}: copy it to a local or shared folder, and give that")
    hub_id(checkpoint)
    return None


def _of_hub(run: Run, name: str) -> Path:
    """One small file of a hub id. Raises ConfigError where the repository lacks it, StorageError where it cannot be had."""
    assert run.checkpoint is not None
    repository, revision = hub_id(run.checkpoint, run.revision)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    at = f" at revision {revision!r}" if revision else ""
    asked = f"checkpoint {run.checkpoint!r} is no local folder, and its {name}{at}"
    with hub_errors(asked, instead="give a folder that is there, or a hub id org/name"), bars_for_people():
        try:
            return Path(hf_hub_download(repository, name, revision=revision, endpoint=endpoint()))
        except LocalEntryNotFoundError:  # not in the cache, and no network: it may well be on the hub
            raise
        except EntryNotFoundError:
            raise ConfigError(f"checkpoint {run.checkpoint!r} has no {name} on the hub; give another --checkpoint") from None
