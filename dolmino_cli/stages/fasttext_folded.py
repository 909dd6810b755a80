"""A supervised fastText model folded into one small table, made once and memory-mapped by every process.

A supervised model is linear up to its softmax: logits = output matrix . mean of the document's rows = mean of (output matrix . row).
With the products computed once, a word or n-gram costs one float instead of `dim` of them, and a model of 2.2 GB becomes a
table of 9 MB (two labels: their difference is all that the softmax sees).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from dolmino_cli.kernels.buffers import text_buffers
from dolmino_cli.kernels.fasttext_score import build_slots, byte_classes, sum_rows
from dolmino_cli.stages.fasttext_model import FasttextModel

FORMAT = 1  # of the cache folder; raise it when what lies there changes
_ROWS_PER_READ_BYTES = 4 << 20
_ARRAYS = ("table", "slots", "offsets", "bytes")


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldedModel:
    """What scoring needs of a model. Arrays are read-only maps of files that all processes share.

    `table` is words + buckets rows of float32: one column for two labels (logit of label 1 minus logit of label 0), else one per label.
    """

    labels: tuple[str, ...]
    words: int
    word_ngrams: int
    buckets: int
    table: np.ndarray
    slots: np.ndarray
    offsets: np.ndarray
    bytes: np.ndarray

    def logits(self, text: pa.LargeStringArray, *, newlines: str) -> tuple[np.ndarray, np.ndarray]:
        """(logits up to a constant per document, float64, documents x labels; rows per document, int64).

        `newlines` is "dclm" (strip, split lines, join with a space) or "space" (a line feed is a space, no strip). A document
        of no rows, of which fastText predicts nothing, has NaN.
        """
        data, offsets = text_buffers(text)
        sums, counts = np.empty((len(text), self.table.shape[1])), np.empty(len(text), np.int64)
        dclm = newlines == "dclm"
        classes = byte_classes(split_lines=dclm)
        vocabulary = (self.slots, self.offsets, self.bytes)
        sum_rows(data, offsets, classes, dclm, vocabulary, self.words, self.word_ngrams, self.buckets, self.table, sums, counts)
        with np.errstate(invalid="ignore"):
            means = sums / counts[:, None]
        if len(self.labels) == 2:
            return np.concatenate([np.zeros_like(means), means], axis=1), counts
        return means, counts


def fold(model: FasttextModel, folder: Path) -> None:
    """Write the folded `model` as `folder`, all at once: if another process was first, its folder stays."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        names = [*model.words, *(label.encode("utf-8", "surrogateescape") for label in model.labels)]
        word_bytes = np.frombuffer(b"".join(names), np.uint8)
        word_offsets = np.concatenate([[0], np.cumsum([len(name) for name in names], dtype=np.int64)])
        arrays = (_fold_matrix(model), build_slots(word_bytes, word_offsets), word_offsets, word_bytes)
        for name, array in zip(_ARRAYS, arrays, strict=True):
            np.save(scratch / f"{name}.npy", array)
        facts = {"labels": model.labels, "words": len(model.words), "word_ngrams": model.word_ngrams, "buckets": model.buckets}
        (scratch / "model.json").write_text(json.dumps(facts), encoding="utf-8")
        try:
            scratch.rename(folder)
        except OSError:
            if not (folder / "model.json").is_file():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@lru_cache(maxsize=4)
def load_folded(folder: Path) -> FoldedModel:
    """The model that `fold` wrote as `folder`, memory-mapped."""
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    # asarray: numba takes plain arrays, and a view of the map is one.
    arrays = {name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in _ARRAYS}
    return FoldedModel(**{**facts, "labels": tuple(facts["labels"])}, **arrays)


def _fold_matrix(model: FasttextModel) -> np.ndarray:
    """Input matrix . output matrix transposed, in float64 rounded once to float32, reading the input a few MB at a time."""
    labels, dim = len(model.labels), model.dim
    with model.path.open("rb") as file:
        file.seek(model.output_at)
        output = np.fromfile(file, "<f4", labels * dim).reshape(labels, dim).astype(np.float64)
        columns = (output[1:] - output[:1]) if labels == 2 else output
        table = np.empty((model.input_rows, len(columns)), np.float32)
        rows_per_read = max(1, _ROWS_PER_READ_BYTES // (4 * dim))
        file.seek(model.input_at)
        for first in range(0, model.input_rows, rows_per_read):
            last = min(first + rows_per_read, model.input_rows)
            rows = np.fromfile(file, "<f4", (last - first) * dim).reshape(last - first, dim)
            table[first:last] = rows.astype(np.float64) @ columns.T
    return table
