"""Do checkpoints differ in nothing but the values of their weights? Only then is a mean of them a model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from dolmino_cli.errors import ConfigError
from dolmino_cli.train.checkpoint_files import file_sha256, read_json_if_there
from dolmino_cli.train.soup.ingredient import Ingredient

# What says where or by what a checkpoint was written, and no more. The dtype is told by the tensors.
_MAY_DIFFER = frozenset({"_name_or_path", "transformers_version", "torch_dtype", "dtype"})
_TOKENS = ("bos_token", "eos_token", "pad_token", "unk_token", "add_bos_token", "add_eos_token")
# Written anew at every use of a tokenizer, and no part of what ids mean.
_MOMENTARY = ("truncation", "padding")
_BY_BYTES = ("tokenizer.model", "vocab.json", "merges.txt")


def check_agreement(ingredients: Sequence[Ingredient]) -> None:
    """Raise ConfigError with the first difference from the first ingredient: the file, the key and the two values."""
    first = ingredients[0]
    for other in ingredients[1:]:
        for file, key, ours, theirs in _differences(first, other):
            raise ConfigError(
                f"{first.name} and {other.name} are no two checkpoints of one model: {file}: {key} is {_short(ours)} in the first"
                f" and {_short(theirs)} in the other; a soup is of checkpoints that differ in the values of their weights only"
            )


def _differences(one: Ingredient, two: Ingredient) -> Iterator[tuple[str, str, Any, Any]]:
    yield from _of_objects("config.json", _settled(one.config), _settled(two.config))
    for key in [*one.tensors, *(key for key in two.tensors if key not in one.tensors)]:
        ours, theirs = one.tensors.get(key), two.tensors.get(key)
        if ours is None or theirs is None:
            there = ours or theirs
            assert there is not None
            shown = (f"a tensor of shape {list(there.shape)}" if place else "absent" for place in (ours, theirs))
            yield there.path.name, key, *shown  # type: ignore[misc]
        elif (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
            yield ours.path.name, key, f"{ours.dtype} {list(ours.shape)}", f"{theirs.dtype} {list(theirs.shape)}"
    for file, read in _TOKENIZER_FILES.items():
        yield from _of_objects(file, read(one.folder / file), read(two.folder / file))


def _of_objects(file: str, one: dict[str, Any] | None, two: dict[str, Any] | None) -> Iterator[tuple[str, str, Any, Any]]:
    """Keys that are not the same in both; a file that one lacks differs as a whole."""
    if one is None or two is None:
        if one is not two:
            yield file, "the file", *("absent" if found is None else "there" for found in (one, two))  # type: ignore[misc]
        return
    for key in [*one, *(key for key in two if key not in one)]:
        ours, theirs = one.get(key, "absent"), two.get(key, "absent")
        if ours != theirs:
            deeper = list(_of_objects(file, ours, theirs)) if isinstance(ours, dict) and isinstance(theirs, dict) else []
            yield from ((file, f"{key}.{inner}", a, b) for _, inner, a, b in deeper) if deeper else [(file, key, ours, theirs)]


def _settled(config: Any) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in _MAY_DIFFER}


def _tokenizer(path: Path) -> dict[str, Any] | None:
    found = read_json_if_there(path)
    return None if found is None else {key: value for key, value in found.items() if key not in _MOMENTARY}


def _special_tokens(path: Path) -> dict[str, Any] | None:
    """The special tokens of a file, each as its text, however it is spelled."""
    found = read_json_if_there(path)
    if found is None:
        return None
    tokens = {key: found[key] for key in _TOKENS if found.get(key) is not None}
    return {key: value["content"] if isinstance(value, dict) else value for key, value in tokens.items()}


def _bytes(path: Path) -> dict[str, Any] | None:
    return {"sha256": file_sha256(path)} if path.is_file() else None


_TOKENIZER_FILES: dict[str, Callable[[Path], dict[str, Any] | None]] = {
    "tokenizer.json": _tokenizer,
    "special_tokens_map.json": _special_tokens,
    "tokenizer_config.json": _special_tokens,
    **dict.fromkeys(_BY_BYTES, _bytes),
}


def _short(value: Any, most: int = 80) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else f"{text[:most]}..."
