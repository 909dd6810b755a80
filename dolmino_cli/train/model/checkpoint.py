"""A Hugging Face checkpoint on disk: a folder of save_pretrained, or a hub id that is downloaded once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dolmino_cli.errors import ConfigError, DataError, MissingExtra, first_line
from dolmino_cli.train.checkpoint_files import read_json, tokenizer_files_in
from dolmino_cli.train.checkpoint_folder import checkpoint_folder
from dolmino_cli.train.weight_shards import INDEX, WEIGHTS


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checked folder: a configuration that needs no code of its own, and weights in safetensors."""

    folder: Path
    name: str
    """As it was asked for: a path or a hub id."""
    config: Any
    """transformers' PreTrainedConfig."""
    weights: dict[str, Path]
    """Tensor name -> the file that holds it."""

    @property
    def tokenizer_files(self) -> list[Path]:
        """The files of its tokenizer; none where it has none."""
        return tokenizer_files_in(self.folder)

    @property
    def weight_files(self) -> list[Path]:
        """The safetensors files, by name."""
        return sorted(set(self.weights.values()))


def open_checkpoint(name_or_folder: str, revision: str | None = None) -> Checkpoint:
    """The checkpoint at a path, or of a hub id `owner/name`. Code that comes with it is never run; only safetensors are read.

    Raises ConfigError for what is no causal language model in safetensors, StorageError where the hub cannot give it, DataError
    for a broken file.
    """
    folder = checkpoint_folder(name_or_folder, revision)
    return Checkpoint(
        folder=folder,
        name=name_or_folder,
        config=_read_config(folder, name_or_folder),
        weights=_find_weights(folder, name_or_folder),
    )


def _read_config(folder: Path, name: str) -> Any:
    try:
        from transformers import AutoConfig
    except ImportError:
        raise MissingExtra("transformers", extra="train", needed_for="opening a checkpoint") from None
    written = read_json(folder / "config.json")
    if "auto_map" in written and "model_type" not in written:
        raise ConfigError(f"{name}: its config asks for code of its own (auto_map), which dolmino never runs")
    if "quantization_config" in written:
        raise ConfigError(
            f"{name}: its weights are quantized (quantization_config); give the checkpoint that they were made from"
        )
    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001 — an unknown architecture, a wrong value: whatever transformers raises for them.
        raise ConfigError(f"{name}: transformers does not accept its config.json: {first_line(error)}") from None


def _find_weights(folder: Path, name: str) -> dict[str, Path]:
    from safetensors import SafetensorError, safe_open

    if (folder / INDEX).is_file():
        weight_map = read_json(folder / INDEX).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise DataError("it has no weight_map", path=str(folder / INDEX))
        missing = sorted({file for file in weight_map.values() if not (folder / file).is_file()})
        if missing:
            raise ConfigError(f"{name}: {INDEX} names {missing[0]}, which is not there ({len(missing)} missing); fetch it again")
        return {tensor: folder / file for tensor, file in weight_map.items()}
    if not (folder / WEIGHTS).is_file():
        raise ConfigError(f"{name}: neither {WEIGHTS} nor {INDEX} in {folder}; save it again with safe_serialization")
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            return dict.fromkeys(file.keys(), folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise DataError(f"it is no safetensors file: {first_line(error)}", path=str(folder / WEIGHTS)) from None
