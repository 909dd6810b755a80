"""The local folder that a checkpoint's name stands for: itself, what a run of dolmino exported, or a download from the hub."""

from __future__ import annotations

import re
from pathlib import Path

from dolmino_cli.errors import ConfigError, StorageError, first_line

EXPORTED = "model"
"""Below the output of a run: the Hugging Face checkpoint that it ends with."""
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+\Z")
_HUB_FILES = ["*.json", "*.txt", "*.model", "*.jinja", "*.safetensors"]


def checkpoint_folder(name: str, revision: str | None = None) -> Path:
    """A folder with a config.json: of a path, or of a hub id `owner/name`, at a branch, tag or commit `owner/name@revision`.

    Raises ConfigError where the name is of none, StorageError where the hub cannot give it.
    """
    folder = Path(name).expanduser()
    if (folder / "config.json").is_file():
        found = folder
    elif (folder / EXPORTED / "config.json").is_file():
        found = folder / EXPORTED
    elif folder.exists():
        raise ConfigError(
            f"{name} holds no config.json, nor does {EXPORTED}/ in it; give a folder written by save_pretrained, the output of a"
            " run that has ended, or a hub id owner/name"
        )
    else:
        hub_id, at, branch = name.partition("@")
        if not _HUB_ID.match(hub_id) or (at and not branch):
            raise ConfigError(f"no checkpoint at {name!r}; give a folder, or a hub id owner/name or owner/name@revision")
        if branch and revision is not None:
            raise ConfigError(f"{name!r} says a revision, and {revision!r} is given besides; give one of them")
        return _download(hub_id, branch or revision)
    if revision is not None:
        raise ConfigError(f"revision {revision!r} is of a hub id, and {name!r} is a folder; leave it out")
    return found


def local_output(output: str) -> Path:
    """An output folder, which is on a disk. Raises ConfigError for what is elsewhere."""
    if "://" in output:
        raise ConfigError(f"--output {output} is not on a disk; checkpoints and results are written to a local or shared folder")
    return Path(output).expanduser()


def _download(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    try:
        # Only the top of the repository: folders below hold other formats of the same weights.
        return Path(snapshot_download(name, revision=revision, allow_patterns=_HUB_FILES, ignore_patterns=["*/*"]))
    except Exception as error:  # noqa: BLE001 — HTTP, offline mode, no such repository or revision: all mean the same here.
        raise StorageError(
            f"{name!r} is no local folder and could not be had from the hub ({first_line(error)}); give a folder that holds it"
        ) from None
