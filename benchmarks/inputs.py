"""The benchmarks' input: where it lies and what it holds. It is made once (`corpus.py`) and kept."""

from __future__ import annotations

import io
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import zstandard
from corpus import make

DISTINCT_SHARDS = 4  # shards with text of their own; further ones repeat these with other ids


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Where the input lies and what it holds; the tuples have a figure per distinct shard.

    Half of the documents, about, have P(__label__hq) >= `threshold`, and none is so close to it that rounding decides.
    """

    root: Path
    tokenizer: Path
    model: Path
    eos_id: int
    itemsize: int
    real: bool
    threshold: float
    text_bytes: tuple[int, ...]
    jsonl_bytes: tuple[int, ...]
    documents: tuple[int, ...]

    def folder(self, shards: int) -> Path:
        """The folder that holds the first `shards` shards, made of hard links."""
        folder = self.root / f"x{shards}" / "documents"
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(shards):
            target = folder / f"shard-{number:04d}.jsonl.zst"
            if not target.exists():
                os.link(self.root / "shards" / target.name, target)
        return folder

    def megabytes(self, shards: int, *, of: str = "text") -> float:
        """MB (1e6 bytes) of UTF-8 text, or of JSONL, in the first `shards` shards."""
        per_shard = self.text_bytes if of == "text" else self.jsonl_bytes
        return sum(per_shard[number % DISTINCT_SHARDS] for number in range(shards)) / 1e6

    def count(self, shards: int) -> int:
        """Documents in the first `shards` shards."""
        return sum(self.documents[number % DISTINCT_SHARDS] for number in range(shards))


def prepare(output: Path, *, shards: int, tiny: bool) -> Inputs:
    """The input under `output`, made if it is not there yet. `tiny` is for trying the scripts, not for measuring."""
    root = output / ("inputs-tiny" if tiny else "inputs")
    facts = root / "facts.json"
    if not facts.exists():
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        facts.write_text(json.dumps(make(root, shards=DISTINCT_SHARDS, tiny=tiny)), encoding="utf-8")
    known = json.loads(facts.read_text(encoding="utf-8"))
    figures = {name: tuple(known.pop(name)) for name in ("text_bytes", "jsonl_bytes", "documents")}
    inputs = Inputs(root=root, tokenizer=root / "tokenizer.json", model=root / "model.bin", **known, **figures)
    for number in range(DISTINCT_SHARDS, shards):
        _repeat_shard(root, number)
    return inputs


def _repeat_shard(root: Path, number: int) -> None:
    """Shard `number` with the text of an earlier one and ids of its own: ids are unique within the input."""
    folder = root / "shards"
    target = folder / f"shard-{number:04d}.jsonl.zst"
    if target.exists():
        return
    source = number % DISTINCT_SHARDS
    data = zstandard.ZstdDecompressor().stream_reader(io.BytesIO((folder / f"shard-{source:04d}.jsonl.zst").read_bytes())).read()
    renamed = b"\n".join(line.replace(b'"id": "%d-' % source, b'"id": "%d-' % number, 1) for line in data.splitlines()) + b"\n"
    target.write_bytes(zstandard.compress(renamed, 3))
