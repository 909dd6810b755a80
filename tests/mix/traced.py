"""A small mix made by the real verbs, from shards to parts, and the same mix read by the plainest means: no code of trace."""

from __future__ import annotations

import csv
import gzip
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import zstandard
from tokenizers import Tokenizer

from dolmino_cli.cli.main import main
from tests.tokenizer.make import CL100K, TEXTS, byte_level

LENGTH = 32
WORDS = [*" ".join(TEXTS[:4]).split(), "ab", "abab", "日本", "☃", "🎉🎉", "e\u0301", "line\nend", "  two", "x"]
RECIPE = """
name: words
stages:
  - length: {unit: characters, into: characters}
  - keep: {score: characters, at_least: 3, reason: short}
"""
MANIFEST = """
name: traced
tokenizer: tokenizer.json
seed: 7
sources:
  web: {source_percent: 240}
  books: {source_percent: 60}
"""


@dataclass(frozen=True)
class Row:
    """One document of the mix, as its .csv.gz row and its part have it, and the line that it was made of."""

    part: str
    start: int
    end: int
    source: str
    id: str
    src: str
    loc: int
    text: str
    input_line: int
    characters: int


def dolmino(*arguments: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["dolmino", *map(str, arguments)])
        assert main() == 0, arguments


def make(folder: Path) -> Path:
    """Filtered shards, arrays of two sources and the mix in `folder`/mix: two passes and a partial one, and a partial one."""
    rng = np.random.default_rng(3)
    byte_level(folder / "tokenizer.json", pattern=CL100K)
    for source, shards in (("web", 2), ("books", 1)):
        for shard in range(shards):
            texts = [" ".join(rng.choice(WORDS, rng.integers(1, 40))) for _ in range(40)]
            # Three documents of web share an id, in two shards; one is a single token; some are dropped.
            lines = [
                {"id": "twice" if n in (3, 5) and source == "web" else f"{source}{shard}/{n}", "text": texts[n]}
                for n in range(40)
            ]
            lines[7]["text"] = "the"
            lines[2]["text"] = lines[11]["text"] = "x"
            path = folder / "raw" / source / f"s{shard}.jsonl.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))
        (folder / "words.yaml").write_text(RECIPE)
        filtered = folder / "filtered" / source
        dolmino("filter", folder / "words.yaml", folder / "raw" / source, "-o", filtered)
        options = ["-t", folder / "tokenizer.json", "--engine", "tokenizers", "-o", folder / "tokens" / source]
        dolmino("retokenize", filtered, *options)
    (folder / "mix.yaml").write_text(MANIFEST)
    options = ["--sequence-length", LENGTH, "--tokens-per-file", 1500]
    dolmino("sample", folder / "mix.yaml", "--arrays", folder / "tokens", "-o", folder / "mix", *options)
    return folder


def rows_of(folder: Path) -> list[Row]:
    """Every document of the mix in order, with its line in the shards that were filtered."""
    found = []
    for path in sorted((folder / "mix").glob("part-*.csv.gz")):
        with gzip.open(path, "rt", newline="") as file:
            for start, end, id, src, loc in csv.reader(file):
                source, _, shard = src.partition(":")
                kept = zstandard.ZstdDecompressor().stream_reader(
                    (folder / "filtered" / source / "documents" / shard).read_bytes()
                )
                document = json.loads(kept.read().splitlines()[int(loc) - 1])
                attributes = pq.read_table(folder / "filtered" / source / "attributes" / shard.replace(".jsonl.zst", ".parquet"))
                row = [one for one in attributes.to_pylist() if one["kept"]][int(loc) - 1]
                assert document["id"] == row["id"] == id
                part = path.name.replace(".csv.gz", ".npy")
                place = (part, int(start), int(end), source, id, shard, int(loc))
                found.append(Row(*place, document["text"], row["line"], row["characters"]))
    return found


def tokens_of(folder: Path) -> dict[str, list[int]]:
    """The ids of every part, in order."""
    return {path.name: np.fromfile(path, np.uint16).tolist() for path in sorted((folder / "mix").glob("part-*.npy"))}


def load_tokenizer(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    return tokenizer
