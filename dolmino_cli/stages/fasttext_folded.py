"""A supervised fastText model folded into one small table, made once and memory-mapped by every process.

A supervised model is linear up to its softmax: logits = output matrix . mean of the rows = mean of (output matrix . row).
With the products computed once, a word or n-gram costs one float instead of `dim` of them, and a model of 2.2 GB becomes a
table of 9 MB (two labels: their difference is all that the softmax sees).

Folding is nearer to the model's exact value than fastText is, whose float32 sum drifts on long documents: by 2e-5 in the
probability of a 1.2 MB book. With `follow_drift` a document whose drift may exceed 1.5e-6 is summed again vector by vector
as fastText does, from the model file, memory-mapped.

Kernels are imported where they are used: the process that only plans a run never needs them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from dolmino_cli.stages.fasttext_model import FasttextModel

FORMAT = 2  # of the cache folder; raise it when what lies there changes
# Drift of fastText's probability p, measured on 81,528 documents with five models: at most 1.5e-6 up to 8,192 rows (words
# and n-grams; about 27 KB of English with bigrams). A text that is the same few words again and again drifts by up to
# 1e-7 x rows x p(1-p), at any length.
_DRIFTING_ROWS = 8192
# Beyond, drift grows with repetition: one row added to sums of one binade makes the same rounding error every time, and errors
# of different rows are as good as independent. A sum that ends at n x mean is off by sqrt(sum of squared counts) times one
# error, 2**-23 / sqrt(12) of itself. Measured, the drift is at most 4.3 times that; with twice that as the bound no document
# was left out that drifts by more than 1.3e-6, and 40 % fewer rows are added again than by a bound on their number.
_ONE_ERROR, _ERRORS = 2.0**-23 / 12**0.5, 2.0
_SMALLEST_LOGIT = 0.3  # where the mean comes out near 0, its parts do not
_REPETITIVE = 0.6  # of the rows stood among the last 512 already; prose has 0.1 to 0.5
_READ_BYTES = 4 << 20
_ARRAYS = ("table", "slots", "offsets", "bytes", "output")


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldedModel:
    """What scoring needs of a model. Arrays are read-only maps of files that all processes share.

    `table` is words + buckets rows of float32: one column for two labels (logit of label 1 minus logit of label 0), else one per
    label. `output` is the output matrix (labels x dim); the input matrix begins at byte `input_at` of the file `path`.
    """

    labels: tuple[str, ...]
    words: int
    word_ngrams: int
    buckets: int
    input_at: int
    path: Path
    table: np.ndarray
    slots: np.ndarray
    offsets: np.ndarray
    bytes: np.ndarray
    output: np.ndarray

    def logits(self, text: pa.LargeStringArray, *, newlines: Literal["dclm", "space"], follow_drift: bool) -> np.ndarray:
        """Documents x labels, float64, up to a constant per document; NaN for a document of no rows.

        `newlines` is "dclm" (strip, split lines, join with a space) or "space" (a line feed is a space, no strip). With
        `follow_drift` long documents get fastText's own rounding errors.
        """
        from dolmino_cli.buffers import text_buffers
        from dolmino_cli.kernels.fasttext_score import sum_rows

        data, offsets = text_buffers(text)
        dclm = newlines == "dclm"
        sums, counts = np.empty((len(text), self.table.shape[1])), np.empty((len(text), 2), np.int64)
        # A word has a byte and a separator at least, or is the line end. Memory that stays unused is never taken.
        most_words = (int(offsets[-1] - offsets[0]) // 2 + 2 * len(text)) if follow_drift else 0
        rows = _Rows(np.empty(most_words, np.int32), np.empty(most_words * (self.word_ngrams - 1), np.int32), counts)
        vocabulary = (self.slots, self.offsets, self.bytes)
        model = (vocabulary, self.words, self.word_ngrams, self.buckets, self.table)
        sum_rows(data, offsets, dclm, dclm, *model, sums, counts, rows.words, rows.ngrams)
        with np.errstate(invalid="ignore"):
            logits: np.ndarray = sums / counts.sum(axis=1, keepdims=True)
        if len(self.labels) == 2:
            logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
        for document in self._drifting(logits, rows) if follow_drift else ():
            logits[document] = self._logits_by_vectors(*rows.of(document))
        return logits

    def _logits_by_vectors(self, words: np.ndarray, ngrams: np.ndarray) -> np.ndarray:
        from dolmino_cli.kernels.fasttext_score import add_vectors

        hidden = np.zeros(self.output.shape[1], np.float32)
        for rows in (words, ngrams):
            add_vectors(self._file, self.input_at, rows, hidden)
        hidden *= np.float32(1.0 / (len(words) + len(ngrams)))
        logits: np.ndarray = self.output.astype(np.float64) @ hidden.astype(np.float64)
        return logits

    def _drifting(self, logits: np.ndarray, rows: _Rows) -> np.ndarray:
        """Documents where fastText's own rounding may have moved its probability by more than 1.5e-6."""
        number = rows.counts.sum(axis=1)
        with np.errstate(invalid="ignore"):
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            likely = powers / powers.sum(axis=1, keepdims=True)
        slope = (likely * (1 - likely)).max(axis=1)
        chosen = np.zeros(len(number), bool)
        long = np.flatnonzero(number > _DRIFTING_ROWS)
        logit = np.maximum(np.ptp(logits[long], axis=1), _SMALLEST_LOGIT)
        drift = _ERRORS * _ONE_ERROR * self._evenness * logit * np.sqrt(rows.squared_counts(long)) * slope[long]
        chosen[long] = drift > 1.5e-6
        maybe = np.flatnonzero(~chosen & (1e-7 * number * slope > 1e-6))
        chosen[maybe] = rows.again(maybe) > _REPETITIVE * number[maybe]
        return np.flatnonzero(chosen)

    @cached_property
    def _evenness(self) -> float:
        """How errors of the dimensions add up, of the logit: 1 / sqrt(dim) where all weigh the same, 1 for one alone."""
        if len(self.labels) != 2:
            return 1.0
        weights = np.square(self.output[1].astype(np.float64) - self.output[0])
        return float(np.sqrt(np.square(weights).sum()) / max(weights.sum(), 1e-300))

    @cached_property
    def _file(self) -> np.ndarray:
        """The bytes of the model file. Its pages are the system's, shared by all workers, and given up when memory is short."""
        return np.asarray(np.memmap(self.path, np.uint8, mode="r"))


@dataclass(frozen=True)
class _Rows:
    """The matrix rows of a batch: `words` and `ngrams` (int32) of all documents one after another, `counts` (documents x 2)."""

    words: np.ndarray
    ngrams: np.ndarray
    counts: np.ndarray

    def of(self, document: int) -> tuple[np.ndarray, np.ndarray]:
        """(words, n-grams) of one document."""
        word_ends, ngram_ends = self._ends
        words = self.words[word_ends[document] : word_ends[document + 1]]
        return words, self.ngrams[ngram_ends[document] : ngram_ends[document + 1]]

    def again(self, documents: np.ndarray) -> np.ndarray:
        """How many rows of each of these documents stood shortly before."""
        from dolmino_cli.kernels.fasttext_score import count_again

        word_ends, ngram_ends = self._ends
        total: np.ndarray = count_again(self.words, word_ends, documents) + count_again(self.ngrams, ngram_ends, documents)
        return total

    def squared_counts(self, documents: np.ndarray) -> np.ndarray:
        """Per document the sum, over its different rows, of the square of how often each stands in it, or a little more."""
        from dolmino_cli.kernels.fasttext_score import square_counts

        word_ends, ngram_ends = self._ends
        total: np.ndarray = square_counts(self.words, word_ends, documents) + square_counts(self.ngrams, ngram_ends, documents)
        return total

    @cached_property
    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        zero = np.zeros(1, np.int64)
        word_ends, ngram_ends = (np.concatenate([zero, np.cumsum(column)]) for column in self.counts.T)
        return word_ends, ngram_ends


def write_folded(model: FasttextModel, folder: Path) -> None:
    """Write what `load_folded` reads as the new `folder`. Takes some seconds and little memory, whatever the model's size."""
    from dolmino_cli.kernels.fasttext_line import build_slots

    folder.mkdir()
    names = [*model.words, *(label.encode("utf-8", "surrogateescape") for label in model.labels)]
    word_bytes = np.frombuffer(b"".join(names), np.uint8)
    word_offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum([len(name) for name in names], dtype=np.int64)])
    table, output = _fold_matrix(model)
    slots = build_slots(word_bytes, word_offsets)
    for name, array in zip(_ARRAYS, (table, slots, word_offsets, word_bytes, output), strict=True):
        np.save(folder / f"{name}.npy", array)
    facts = {
        "labels": model.labels,
        "words": len(model.words),
        "word_ngrams": max(model.word_ngrams, 1),
        "buckets": model.buckets,
        "input_at": model.input_at,
    }
    (folder / "model.json").write_text(json.dumps(facts), encoding="utf-8")


@lru_cache(maxsize=4)
def load_folded(folder: Path, path: Path) -> FoldedModel:
    """The model that `write_folded` wrote as `folder` from the file `path`, memory-mapped."""
    facts: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    # asarray: numba takes plain arrays, and a view of the map is one.
    arrays: dict[str, Any] = {name: np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in _ARRAYS}
    return FoldedModel(**{**facts, "labels": tuple(facts["labels"])}, path=path, **arrays)


def _fold_matrix(model: FasttextModel) -> tuple[np.ndarray, np.ndarray]:
    """(the table, the output matrix): products in float64, rounded once to float32, reading the input a few MB at a time."""
    labels, dim = len(model.labels), model.dim
    with model.path.open("rb") as file:
        file.seek(model.output_at)
        output = np.fromfile(file, "<f4", labels * dim).reshape(labels, dim)
        columns = output.astype(np.float64)
        if labels == 2:
            columns = columns[1:] - columns[:1]
        table = np.empty((model.input_rows, len(columns)), np.float32)
        rows_per_read = max(1, _READ_BYTES // (4 * dim))
        file.seek(model.input_at)
        for first in range(0, model.input_rows, rows_per_read):
            last = min(first + rows_per_read, model.input_rows)
            rows = np.fromfile(file, "<f4", (last - first) * dim).reshape(last - first, dim)
            table[first:last] = rows.astype(np.float64) @ columns.T
    return table, output
