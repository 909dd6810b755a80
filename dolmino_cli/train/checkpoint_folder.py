"""The local folder that a checkpoint's name stands for: itself, what a run of dolmino exported, or a download from the hub."""

from __future__ import annotations

import re
from pathlib import Path

from dolmino_cli import hub
from dolmino_cli.errors import ConfigError

EXPORTED = "model"
"""Below the output of a run: the Hugging Face checkpoint that it ends with."""
_HUB_ID = re.compile(r"\w[\w.-]*/[\w.-]+\Z")
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
        asked = f"{name!r} is no local folder and"
        return hub.top_of(*hub_id(name, revision), _HUB_FILES, asked=asked, instead="give a folder that holds it")
    if revision is not None:
        raise ConfigError(f"revision {revision!r} is of a hub id, and {name!r} is a folder; leave it out")
    return found


def hub_id(name: str, revision: str | None = None) -> tuple[str, str | None]:
    """(owner/name, revision) of `owner/name` or `owner/name@revision`. Raises ConfigError for what is neither."""
    repository, branch = hub.parted(name)
    if not _HUB_ID.match(repository) or branch == "":
        raise ConfigError(
            f"no checkpoint at {name!r}; give a folder that is there, or a hub id owner/name or owner/name@revision"
        )
    if branch is not None and revision is not None:
        raise ConfigError(f"{name!r} says a revision, and {revision!r} is given besides; give one of them")
    return repository, revision if branch is None else branch


def local_output(output: str) -> Path:
    """An output folder, which is on a disk. Raises ConfigError for what is elsewhere."""
    if "://" in output:
        raise ConfigError(f"--output {output} is not on a disk; checkpoints and results are written to a local or shared folder")
    return Path(output).expanduser()
