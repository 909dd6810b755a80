"""Train a fastText classifier from labelled documents, and judge it by documents that it has not seen."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from dolmino_cli import __version__
from dolmino_cli.documents import Batch
from dolmino_cli.errors import ConfigError, DataError, MissingExtra, RunFailed
from dolmino_cli.executors.child import run_child
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.faults import OnError
from dolmino_cli.shards.ledger import changes
from dolmino_cli.shards.model_cache import file_sha256
from dolmino_cli.shards.storage import Output, fetch
from dolmino_cli.sources.classifier.held_out import Judged, judge
from dolmino_cli.sources.classifier.labelled import (
    NEGATIVE,
    POSITIVE,
    Counts,
    LabelledShard,
    Labels,
    labelled_lines,
    training_line,
)
from dolmino_cli.stages.fasttext import FastText, Newlines

MODEL, REPORT = "model.bin", "model.json"
_REPORT_VERSION = 1
_BATCH_LINES = 1024
_MOST = 2**31 - 1  # fastText's numbers are C's int
_PROGRAM = Path(__file__).with_name("process.py")
# glibc then hands out memory that is zero, used before or not; elsewhere this says nothing. Why: see `process`.
_ZERO_MEMORY = {"MALLOC_PERTURB_": "255"}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How fastText trains. The paper gives none of these; the defaults are fastText's own but for those that name it.

    On real mathematics against web pages the faster and longer learning gives F1 0.98 where fastText's defaults give 0.97.
    """

    dim: int = 100
    """Length of the vectors."""
    epochs: int = 10
    """How often every document is seen (fastText: 5)."""
    learning_rate: float = 0.5
    """At the start; it falls to 0 (fastText: 0.1)."""
    word_ngrams: int = 2
    """Longest run of words with a vector of its own; 2 as DCLM's classifiers (fastText: 1)."""
    buckets: int = 200_000
    """Vectors that all runs of words share (fastText: 2,000,000, a model of 800 MB)."""
    min_count: int = 3
    """How often a word must stand in the training documents to have a vector (fastText: 1)."""
    threads: int = 1
    """1 gives the same model every time. More are faster and write over each other's work: never the same twice."""
    seed: int = 0
    """Of fastText's own dice."""

    def __post_init__(self) -> None:
        least = {"dim": 2, "epochs": 1, "word_ngrams": 1, "buckets": 1, "min_count": 1, "threads": 1, "seed": 0}
        for name, low in least.items():
            if not low <= getattr(self, name) <= _MOST:
                raise ConfigError(f"{name} is {getattr(self, name)}; allowed: {low} to {_MOST:,}")
        if not 0 < self.learning_rate <= 10:
            raise ConfigError(f"learning_rate is {self.learning_rate:g}; allowed: above 0, up to 10")

    def of_library(self) -> dict[str, Any]:
        """The same as `fasttext.train_supervised` calls it."""
        return {
            "dim": self.dim,
            "epoch": self.epochs,
            "lr": self.learning_rate,
            "wordNgrams": self.word_ngrams,
            "bucket": self.buckets,
            "minCount": self.min_count,
            "thread": self.threads,
            "seed": self.seed,
        }


@dataclass(frozen=True, kw_only=True)
class Training:
    """A classifier to be trained. `shards` are read in order; `labels` are needed where a shard's documents say their own."""

    shards: Sequence[LabelledShard]
    labels: Labels | None
    settings: Settings
    newlines: Newlines
    held_out_percent: float
    """Of the distinct texts, which the model is judged by and does not see."""
    seed: int
    """Of the choice of what is held out."""
    on_error: OnError

    def __post_init__(self) -> None:
        if not 0 < self.held_out_percent < 100:
            raise ConfigError(f"--held-out {self.held_out_percent:g}: allowed: above 0 and below 100 percent")

    def request(self) -> dict[str, Any]:
        """All that the model depends on, JSON-able: inputs by hash, labels, settings."""
        return {
            "inputs": [
                {
                    "name": one.shard.name,
                    "bytes": one.shard.bytes,
                    "sha256": file_sha256(fetch(one.shard.path)),
                    "label": "its own" if one.label is None else "positive" if one.label else "negative",
                }
                for one in self.shards
            ],
            "labels": None if self.labels is None else json.loads(json.dumps(dataclasses.asdict(self.labels))),
            "newlines": self.newlines,
            "held_out": {"percent": self.held_out_percent, "seed": self.seed},
            "settings": dataclasses.asdict(self.settings),
            "on_error": self.on_error,
        }


def count(training: Training) -> Counts:
    """What would be trained on and what held out; reads everything and writes nothing."""
    counts = Counts()
    for _ in _lines(training, counts):
        pass
    return counts


def train(training: Training, output: Output) -> dict[str, Any]:
    """Train, judge, and write `model.bin` and, last, `model.json`; returns the content of the latter.

    A model of the same request that is there already is left as it is. Raises ConfigError where there is another one, or
    documents of one kind only; MissingExtra, DataError, StorageError, RunFailed.
    """
    request = training.request()
    finished = _finished(request, output)
    if finished is not None:
        return finished
    if importlib.util.find_spec("fasttext") is None:
        raise MissingExtra("fasttext", extra="fasttext", needed_for="dolmino classifier train")
    output.check_writable()  # training may take hours
    counts = Counts()
    with tempfile.TemporaryDirectory(prefix="dolmino-classifier-") as scratch:
        folder = Path(scratch)
        with storage_errors("write", f"{scratch} (TMPDIR chooses its folder)"):
            labels = _write_lines(training, counts, folder)
        check_both_kinds(counts)
        _fit(folder, training.settings)
        judged = judge(_scores(folder, training.newlines), labels)
        return _publish(folder / MODEL, output, request, counts, judged)


def check_both_kinds(counts: Counts) -> None:
    """Raises ConfigError where one of the four parts has no document."""
    for part, number in counts.used.items():
        if not number:
            found = ", ".join(f"{part} {number:,}" for part, number in counts.used.items())
            raise ConfigError(f"no document is {part} ({found}); give documents of both kinds, or another --held-out or --seed")


def _lines(training: Training, counts: Counts) -> Iterator[Any]:
    return labelled_lines(
        training.shards,
        training.labels,
        counts,
        newlines=training.newlines,
        held_out_percent=training.held_out_percent,
        seed=training.seed,
        on_error=training.on_error,
    )


def _write_lines(training: Training, counts: Counts, folder: Path) -> np.ndarray:
    """Write `train.txt` with labels and `held-out.txt` without; returns which held-out lines are positive, in order."""
    labels, places, bytes_of = bytearray(), array("Q"), array("Q")
    with (folder / "as-read.txt").open("wb") as seen, (folder / "held-out.txt").open("wb") as unseen:
        for line in _lines(training, counts):
            if line.held_out:
                labels.append(line.positive)
                unseen.write(line.text.encode() + b"\n")
            else:
                places.append(line.place)
                bytes_of.append(seen.write(training_line(line)))
    _reorder(folder / "as-read.txt", folder / "train.txt", np.asarray(places), np.asarray(bytes_of))
    return np.frombuffer(labels, np.uint8).astype(bool)


def _reorder(source: Path, target: Path, places: np.ndarray, bytes_of: np.ndarray) -> None:
    """The lines of `source` by ascending place: fastText reads them in turn and would learn one file, one label at a time."""
    ends = np.cumsum(bytes_of)
    with source.open("rb") as unordered, target.open("wb") as ordered:
        for line in np.argsort(places, kind="stable").tolist():
            unordered.seek(int(ends[line] - bytes_of[line]))
            ordered.write(unordered.read(int(bytes_of[line])))


def _fit(folder: Path, settings: Settings) -> None:
    command = [sys.executable, "-P", str(_PROGRAM), str(folder / "train.txt"), str(folder / MODEL)]
    how = {"env": os.environ | _ZERO_MEMORY, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    done = run_child([*command, json.dumps(settings.of_library())], **how)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise RunFailed(f"fastText did not train ({said}); try a lower --learning-rate, or fewer --buckets if memory ran out")


def _scores(folder: Path, newlines: Newlines) -> np.ndarray:
    """The scores of the held-out lines by the stage that recipes use; 0 where the model says nothing of a text."""
    stage = FastText(model=str(folder / MODEL), label=POSITIVE, into="score", newlines=newlines)
    stage.prepare()
    found = []
    with (folder / "held-out.txt").open("rb") as lines:
        while some := [line[:-1].decode() for line in islice(lines, _BATCH_LINES)]:
            found.append(stage(_batch(some)).fill_null(0.0).to_numpy(zero_copy_only=False))
    return np.concatenate(found)


def _batch(texts: list[str]) -> Batch:
    rows = range(len(texts))
    return Batch(
        shard="held-out",
        id=pa.array(map(str, rows), pa.large_string()),
        text=pa.array(texts, pa.large_string()),
        record=pa.nulls(len(texts)),
        line=pa.array(rows, pa.int64()),
    )


def _publish(model: Path, output: Output, request: dict[str, Any], counts: Counts, judged: Judged) -> dict[str, Any]:
    with output.create(MODEL) as pending, model.open("rb") as file:
        shutil.copyfileobj(file, pending, 1 << 20)  # type: ignore[misc]
        pending.publish()
    report = {
        "dolmino_classifier": _REPORT_VERSION,
        "dolmino": __version__,
        "fasttext": metadata.version("fasttext"),
        "model": {"file": MODEL, "bytes": pending.bytes, "sha256": pending.sha256, "labels": [POSITIVE, NEGATIVE]},
        **request,
        "counts": dataclasses.asdict(counts),
        "judged": dataclasses.asdict(judged),
    }
    output.put(REPORT, json.dumps(report, indent=1, ensure_ascii=False).encode() + b"\n")
    return json.loads(json.dumps(report))  # type: ignore[no-any-return]


def _finished(request: dict[str, Any], output: Output) -> dict[str, Any] | None:
    """The report of a model that is there; None where there is none. Raises ConfigError for one of another request."""
    stored = output.read(REPORT) if output.exists(MODEL) else None
    if stored is None:
        return None
    try:
        report = msgspec.json.decode(stored, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise DataError(f"damaged report of a classifier ({error}); delete it to train again", path=output.path(REPORT)) from None
    changed = changes({name: report.get(name) for name in request}, json.loads(json.dumps(request)), "request")
    if changed:
        raise ConfigError(f"{output.root} holds a classifier of another request: {'; '.join(changed)}; use another --output")
    return report
