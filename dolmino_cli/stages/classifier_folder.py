"""Where a Transformer classifier lies and whether it may be loaded: safetensors only, no code of its own."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dolmino_cli import hub
from dolmino_cli.errors import ConfigError, unreadable
from dolmino_cli.shards import model_cache

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+\Z")
_HUB_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
_HEAD = "ForSequenceClassification"


@dataclass(frozen=True, kw_only=True)
class ModelFolder:
    """A checked local folder in the format of `save_pretrained`. `weights_sha256` is of the weights alone."""

    path: Path
    config: dict[str, Any]
    weights_sha256: str


def find_model(model: str, revision: str | None) -> ModelFolder:
    """The folder that `model` names: a path, or a hub id that is downloaded once (weights, configuration, tokenizer).

    Raises ConfigError for what is no sequence classifier in safetensors, StorageError where the hub cannot give it.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        if revision is not None:
            raise ConfigError(f"classifier: revision {revision!r} is for hub ids, and {model!r} is a folder; leave it out")
    elif _HUB_ID.match(model) and not path.exists():
        asked = f"classifier {model!r} is no local folder and"
        path = hub.top_of(model, revision, _HUB_FILES, asked=asked, instead="give the path of a folder that holds it")
    else:
        raise ConfigError(f"classifier: no model at {model!r}; give a folder written by save_pretrained, or a hub id owner/name")
    config = _read_config(path, model)
    return ModelFolder(path=path, config=config, weights_sha256=_weights_sha256(path, model))


def _read_config(path: Path, model: str) -> dict[str, Any]:
    file = path / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"classifier: {model} holds no config.json; give a folder written by save_pretrained") from None
    except OSError as error:
        raise unreadable(file, error) from None
    except ValueError as error:
        raise ConfigError(f"classifier: {file} is not readable JSON ({error})") from None
    names = config.get("architectures") if isinstance(config, dict) else None
    if not isinstance(names, list) or not any(str(name).endswith(_HEAD) for name in names):
        named = ", ".join(map(str, names)) if isinstance(names, list) else "nothing"
        raise ConfigError(
            f"classifier: {model} is no sequence classifier: its config.json names {named} under architectures, "
            f"and a name ending in {_HEAD} is needed"
        )
    return dict(config)


def _weights_sha256(path: Path, model: str) -> str:
    """sha256 of the weights' file; of the parts' hashes, in the order of their names, where they are cut in parts."""
    single = path / "model.safetensors"
    if single.is_file():
        return model_cache.file_sha256(single)
    parts = sorted(path.glob("model-*-of-*.safetensors"))
    if parts and (path / "model.safetensors.index.json").is_file():
        return hashlib.sha256("".join(map(model_cache.file_sha256, parts)).encode()).hexdigest()
    pickled = sorted(file.name for file in path.glob("*.bin"))
    has = f"it holds {', '.join(pickled)}, a pickle, which runs code when it is read" if pickled else "it holds no weights at all"
    raise ConfigError(
        f"classifier: {model} has no model.safetensors ({has}); convert a model that you trust once with transformers: "
        "AutoModelForSequenceClassification.from_pretrained(...).save_pretrained(folder)"
    )
