"""A planned soup, written: weights tensor by tensor, configuration and tokenizer, and soup.json, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dolmino_cli import __version__
from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.train.checkpoint_files import carried_files_in, file_sha256, read_json_if_there
from dolmino_cli.train.soup.ingredient import RECORD
from dolmino_cli.train.soup.mean import mean_pieces
from dolmino_cli.train.soup.plan import SoupPlan
from dolmino_cli.train.tensor_file import header_of
from dolmino_cli.train.unfinished_folder import unfinished
from dolmino_cli.train.weight_shards import INDEX, index_of

_CONFIG_DTYPE = {"bf16": "bfloat16", "fp32": "float32"}


def cook(
    plan: SoupPlan,
    output: Path,
    *,
    found_by: Mapping[str, Any] | None = None,
    hashes: Mapping[Path, dict[str, str]] | None = None,
    watch: Callable[[int], None] | None = None,
) -> bool:
    """Write the soup to the folder `output`; False if the same one is there already, whose files are then read and compared.

    The same ingredients give the same bytes. `found_by` is recorded (how they were selected); `hashes` are those of ingredients'
    files where they are known, by folder; `watch` is told how many bytes of weights are written. A run that is killed leaves
    `.NAME.partial` beside the output, which the next one removes. Raises ConfigError where something else is at `output`,
    DataError for weights that have no mean, StorageError where the disk refuses, RunFailed where another process writes it.
    """
    record = _record(plan, hashes or {}) | ({"found_by": dict(found_by)} if found_by is not None else {})
    if output.exists():
        _check_same(output, record)
        return False
    try:
        with unfinished(output) as partial:
            _write_weights(plan, partial, watch)
            _write_rest(plan, partial)
            record["files"] = {path.name: file_sha256(path) for path in sorted(partial.iterdir())}
            _write_json(partial / RECORD, record)
    except OSError as error:
        raise StorageError(f"{output}: the soup cannot be written: {error.strerror or error}") from None
    return True


def _record(plan: SoupPlan, hashes: Mapping[Path, dict[str, str]]) -> dict[str, Any]:
    """soup.json without the hashes of what is written."""
    ingredients = []
    for ingredient, weight in zip(plan.ingredients, plan.weights, strict=True):
        files = hashes.get(ingredient.folder) or ingredient.hashes()
        entry: dict[str, Any] = {"checkpoint": ingredient.name, "weight": weight, "files": files}
        ingredients.append(entry | ({"soup": dict(ingredient.soup)} if ingredient.soup is not None else {}))
    return {"version": 1, "dolmino": __version__, "summed_in": "fp32", "dtype": plan.dtype, "ingredients": ingredients}


def check_output(output: Path) -> None:
    """Raise ConfigError where something is that is no soup, before any work is done for one."""
    if output.exists() and read_json_if_there(output / RECORD) is None:
        raise ConfigError(f"{output} is there and is no soup; give another --output, or remove it")


def _check_same(output: Path, record: dict[str, Any]) -> None:
    """Raise ConfigError unless the output is the soup of this record; where its ingredients lay does not matter."""
    check_output(output)
    there = read_json_if_there(output / RECORD) or {}
    files = there.pop("files", {})
    for known in (there, record := json.loads(json.dumps(record))):
        known.pop("dolmino", None)
        for entry in known.get("ingredients", []):
            entry.pop("checkpoint", None)
    if record != there:
        raise ConfigError(
            f"{output} holds a soup of something else (its {RECORD} says of what); give another --output, or remove it"
        )
    for name, sha256 in files.items():
        if not (output / name).is_file() or file_sha256(output / name) != sha256:
            raise ConfigError(f"{output} holds this soup, but {name} was changed since; remove the folder and run again")


def _write_weights(plan: SoupPlan, folder: Path, watch: Callable[[int], None] | None) -> None:
    written = 0
    for shard in plan.shards:
        with (folder / shard.name).open("wb") as file:
            file.write(header_of(shard.tensors))
            for key, (dtype, _) in shard.tensors.items():
                for piece in mean_pieces(key, plan.ingredients, plan.weights, dtype):
                    file.write(piece.data)
                    written += piece.nbytes
                    if watch is not None:
                        watch(written)
            file.flush()
            os.fsync(file.fileno())
    if len(plan.shards) > 1:
        _write_json(folder / INDEX, index_of(plan.shards))


def _write_rest(plan: SoupPlan, folder: Path) -> None:
    """The configuration, with the dtype that was asked for, and the tokenizer of the first ingredient."""
    first = plan.ingredients[0]
    config = dict(first.config)
    if plan.dtype != "keep":
        spelled = next((key for key in ("dtype", "torch_dtype") if key in config), "dtype")
        config[spelled] = _CONFIG_DTYPE[plan.dtype]
    _write_json(folder / "config.json", config)
    for path in carried_files_in(first.folder):
        shutil.copyfile(path, folder / path.name)


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
