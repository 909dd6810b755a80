"""An ingredient of a soup: a Hugging Face checkpoint as the places of its tensors, its configuration and its tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.train.checkpoint_files import file_sha256, read_json_if_there
from dolmino_cli.train.tensor_file import TensorPlace, read_places
from dolmino_cli.train.weight_shards import INDEX, WEIGHTS

RECORD = "soup.json"


@dataclass(frozen=True, kw_only=True)
class Ingredient:
    """A checkpoint folder, opened: headers are read, weights are not."""

    name: str
    """As it was asked for."""
    folder: Path
    config: Mapping[str, Any]
    tensors: Mapping[str, TensorPlace]
    """By key, in the order of the files."""
    weight_files: tuple[str, ...]
    soup: Mapping[str, Any] | None
    """Its own soup.json, if it is a soup itself."""

    def hashes(self) -> dict[str, str]:
        """The sha256 of every file of weights, which are read whole for it."""
        return {name: file_sha256(self.folder / name) for name in self.weight_files}


def open_ingredient(name: str, folder: Path) -> Ingredient:
    """The checkpoint in a local folder. Raises ConfigError where there is none, DataError for a damaged one."""
    config = read_json_if_there(folder / "config.json")
    if config is None:
        raise ConfigError(f"{name} holds no config.json; give a folder written by save_pretrained or by dolmino, or a hub id")
    files = _weight_files(name, folder)
    tensors: dict[str, TensorPlace] = {}
    for file in files:
        for key, place in read_places(folder / file).items():
            if key in tensors:
                raise DataError(f"tensor {key} is also in {tensors[key].path.name}; a key stands once", path=str(folder / file))
            tensors[key] = place
    _check_index(folder, tensors)
    soup = read_json_if_there(folder / RECORD)
    return Ingredient(name=name, folder=folder, config=config, tensors=tensors, weight_files=files, soup=soup)


def _weight_files(name: str, folder: Path) -> tuple[str, ...]:
    """The files that the index names, or the single one."""
    index = read_json_if_there(folder / INDEX)
    if index is None:
        if (folder / WEIGHTS).is_file():
            return (WEIGHTS,)
        pickled = sorted(path.name for path in folder.glob("*.bin"))
        has = f"it holds {pickled[0]}, a pickle, which runs code when it is read" if pickled else "it holds no weights"
        raise ConfigError(f"{name} has no {WEIGHTS} ({has}); write it with save_pretrained of a recent transformers")
    files = tuple(sorted(set(index.get("weight_map", {}).values())))
    if not files:
        raise DataError("names no files under weight_map; copy it again", path=str(folder / INDEX))
    for file in files:
        if not (folder / file).is_file():
            raise DataError(f"names {file}, which is not there; copy it again", path=str(folder / INDEX))
    return files


def _check_index(folder: Path, tensors: Mapping[str, TensorPlace]) -> None:
    index = read_json_if_there(folder / INDEX)
    if index is None:
        return
    listed: dict[str, str] = index["weight_map"]
    for key in sorted(listed.keys() | tensors.keys()):
        found = tensors[key].path.name if key in tensors else "no file"
        if listed.get(key) != found:
            said = listed.get(key, "no file")
            raise DataError(
                f"says that tensor {key} is in {said}, it is in {found}; copy the checkpoint again", path=str(folder / INDEX)
            )
