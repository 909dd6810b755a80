"""Small mixes for a trainer's data, and what a plain reading of their files says of every window."""

from __future__ import annotations

import csv
import dataclasses
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dolmino_cli.mix.sampling.sample import sample
from dolmino_cli.train.learning_rate import LearningRate
from dolmino_cli.train.run_file import Loss, Run
from tests.mix.make import EOS, Document, documents_of, write_arrays, write_manifest

LENGTH = 64


def write_mix(folder: Path, *, sequence_length: int = LENGTH, tokens_per_file: int = 3000) -> Path:
    """Three sources of documents of 1 to some 200 tokens, two of them with documents that repeat themselves; several parts."""
    rng = np.random.default_rng(5)
    for number, name in enumerate(("web", "books", "math")):
        lengths = rng.integers(1, 200, 60 if name == "web" else 20).tolist()
        documents = documents_of(*lengths, prefix=name, seed=number)
        if name != "web":
            for period in (1, 2, 3):
                body = tuple(np.tile(rng.integers(0, EOS, period), 120 // period).tolist())
                documents.append(Document(f"{name}-{period}", (*body, EOS), "repeats.jsonl", period))
        write_arrays(folder / "tokens" / name, documents)
    shares = {"web": "source_percent: 150", "books": "source_percent: 100", "math": "source_percent: 250"}
    manifest = write_manifest(folder / "small.yaml", **shares)
    sample(
        manifest,
        arrays_root=str(folder / "tokens"),
        output=str(folder / "mix"),
        tokens_per_file=tokens_per_file,
        sequence_length=sequence_length,
    )
    return folder / "mix"


def run_of(*, loss: Loss | None = None, **changes: Any) -> Run:
    """A run of 6 windows of 64 tokens a step."""
    run = Run(name="r", batch_sequences=6, steps=None, sequence_length=LENGTH, learning_rate=LearningRate(start=1e-3), seed=7)
    return dataclasses.replace(run, loss=loss or Loss(), **changes)


@dataclass(frozen=True)
class Window:
    """What a window holds."""

    ids: tuple[int, ...]
    sources: tuple[str, ...]
    positions: tuple[int, ...]


def windows_by_hand(mix: Path, length: int, dtype: npt.DTypeLike = np.uint16) -> list[Window]:
    """All windows, from the arrays and their .csv.gz: token by token."""
    found = []
    for path in sorted(mix.glob("part-*.npy")):
        ids = np.fromfile(path, dtype)
        source_of: list[str] = []
        begins: list[int] = []
        with gzip.open(path.with_suffix("").with_suffix(".csv.gz"), "rt", newline="") as file:
            for start, end, _, src, _ in csv.reader(file):
                source_of += [src.partition(":")[0]] * (int(end) - int(start))
                begins += [int(start)] * (int(end) - int(start))
        for start in range(0, len(ids) - length + 1, length):
            places = range(start, start + length)
            positions = tuple(place - max(begins[place], start) for place in places)
            found.append(Window(tuple(ids[start : start + length].tolist()), tuple(source_of[start : start + length]), positions))
    return found


def repeats_by_hand(ids: tuple[int, ...]) -> set[int]:
    """The places of a window that belong to 32 or more equal units of up to 13 tokens in a row: every stretch is tried."""
    found: set[int] = set()
    for period in range(1, 14):
        for start in range(len(ids) - 32 * period + 1):
            unit = ids[start : start + period]
            if all(ids[start + i] == unit[i % period] for i in range(32 * period)):
                found |= set(range(start, start + 32 * period))
    return found
