"""Small shards and recipes for the pipeline's tests."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import zstandard

from dolmino_cli.recipe import Recipe, load_recipe

# Documents of 1 to 9 characters; two decisions: at least 3, and votes at least 2.
RECIPE = """
name: small
stages:
  - length: {unit: characters, into: characters}
  - keep: {score: characters, at_least: 3, reason: short, expect: {percent: 75, within: 5}}
  - field: {field: metadata.votes, into: votes}
  - keep: {score: votes, at_least: 2, reason: unpopular, missing: drop}
"""


def recipe(folder: Path, text: str = RECIPE, *overrides: str) -> Recipe:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return load_recipe(path, overrides)


def line(number: int, characters: int, votes: int | None) -> bytes:
    """A document with a field that nothing knows, spaced as no JSON writer would."""
    metadata = "{}" if votes is None else f'{{"votes":   {votes}}}'
    return f'{{"id": "d{number}",  "text": "{"x" * characters}", "metadata": {metadata}, "other": [1.50, "é\\u00e9"]}}'.encode()


def write_shard(path: Path, lines: list[bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zstandard.compress(b"".join(one + b"\n" for one in lines)))
    return path


def read_lines(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read().splitlines()


def read_rows(path: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(path).to_pylist()
    return rows


_OF_RUNS = ("ledger/", "run.json", ".jobs/", "failures/", "logs/")


def tree(folder: Path) -> dict[str, bytes]:
    """Every file that must be the same in two runs of the same thing: all but those that hold times or what failed."""
    files = {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(_OF_RUNS)}


def read_json(path: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads(path.read_text())
    return content
