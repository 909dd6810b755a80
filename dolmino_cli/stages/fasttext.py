"""`fasttext`: the probability of one label by a supervised fastText model, such as DCLM's quality classifier."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from dolmino_cli.documents import Batch
from dolmino_cli.errors import ConfigError, MissingExtra
from dolmino_cli.shards import model_cache
from dolmino_cli.shards.storage import cache_folder, fetch
from dolmino_cli.stages.fasttext_model import read_model

FOLDED_TOLERANCE = 2e-6
DRIFT_TOLERANCE = 1e-4  # three times the largest drift seen, of a book of 400,000 rows

Newlines = Literal["dclm", "space"]


@dataclass(frozen=True, kw_only=True)
class FastText:
    """Probability (float64) of `label`, as fastText gives it: softmax, plus its own 1e-5 inside the logarithm.

    DCLM's quality score (OLMo 2 paper, section 4.3; DCLM `quality_prediction_enrichers_calc_fasttext.py` and dolma
    `taggers/quality.py`, which agree) is the default rule and newline handling with `label: __label__hq`. A document of
    which fastText predicts nothing (no known word, no n-gram) scores null.

    Softmax models without subwords are folded (see `fasttext_folded`): no fastText package needed, within 2e-6 of it (but see
    `long_documents`). Others (hierarchical softmax, negative sampling, one-vs-all, subwords, quantised) are run by the
    package itself.
    """

    model: str
    """The `.bin` or `.ftz` file: a path, s3://bucket/key or hf://owner/repository/file."""

    label: str
    """The label whose probability is the score, as the model writes it: `__label__hq`."""

    into: str
    """Name of the score column."""

    rule: Literal["top1", "label"] = "top1"
    """`top1` is DCLM's and dolma's: the probability of the likelier of two labels, or 1 minus it if that is the other one.
    `label` is the label's own probability, as `predict(k=-1)` says. Where the other label is likelier, `top1` is 2e-5
    lower, because fastText adds 1e-5 to every probability."""

    newlines: Newlines = "dclm"
    """`dclm` scores `" ".join(text.strip().splitlines())`; `space` turns line feeds into spaces and strips nothing, as
    datamap does. fastText reads one line."""

    engine: Literal["auto", "fold", "library"] = "auto"
    """`fold` refuses models that cannot be folded, `library` always uses the fastText package, `auto` folds where it can."""

    long_documents: Literal["folded", "as_fasttext"] = "as_fasttext"
    """fastText sums in float32 and drifts from its model's exact value on documents of more than 8,192 words and n-grams
    (30 KB): by 2e-6 to 3e-5 on 12 of 81,528 real documents. `folded` gives the exact value; `as_fasttext` follows
    fastText where it may have drifted by more than 1.5e-6, by vectors of the memory-mapped model file: some 40 MB/s there."""

    @property
    def tolerance(self) -> float:
        """How far from the fastText package: 0 when it scores itself, 2e-6 as_fasttext, 1e-4 folded (2e-6 up to 30 KB)."""
        if _load(self.model, self.engine).folder is None:
            return 0.0
        return FOLDED_TOLERANCE if self.long_documents == "as_fasttext" else DRIFT_TOLERANCE

    def prepare(self) -> dict[str, str]:
        """Fetch the model, check label and rule, fold once; see `Measure.prepare`."""
        loaded = _load(self.model, self.engine)
        self._check(loaded.labels)
        if loaded.folder is not None:
            from dolmino_cli.stages.fasttext_folded import load_folded

            load_folded(loaded.folder, loaded.path)
            return {"model_sha256": loaded.sha256, "engine": "folded"}
        _library(loaded.path)
        version = metadata.version("fasttext")
        return {"model_sha256": loaded.sha256, "engine": "library", "library": f"fasttext {version}", "because": loaded.because}

    def __call__(self, batch: Batch) -> pa.Array:
        """float64 per document; null where fastText predicts nothing."""
        loaded = _load(self.model, self.engine)
        if loaded.folder is None:
            scores = self._score_by_library(_library(loaded.path), batch.text)
        else:
            from dolmino_cli.stages.fasttext_folded import load_folded

            folded = load_folded(loaded.folder, loaded.path)
            follow = self.long_documents == "as_fasttext"
            logits = folded.logits(batch.text, newlines=self.newlines, follow_drift=follow)
            scores = self._score(logits, loaded.labels.index(self.label))
        return pa.array(scores, mask=np.isnan(scores))

    def _score(self, logits: np.ndarray, label: int) -> np.ndarray:
        """fastText's arithmetic after the matrices, in its own precisions: float32, but the logarithm in float64."""
        outputs = logits.astype(np.float32)
        outputs -= outputs.max(axis=1, keepdims=True)
        powers = np.exp(outputs.astype(np.float64)).astype(np.float32)
        total = np.zeros(len(powers), np.float32)
        for column in powers.T:
            total += column
        logs = np.log((powers / total[:, None]).astype(np.float64) + 1e-5).astype(np.float32)
        probabilities = np.exp(logs.astype(np.float64)).astype(np.float32).astype(np.float64)
        if self.rule == "label" or probabilities.shape[1] == 1:
            return probabilities[:, label]
        # Of equal logarithms the later label wins: that is how fastText's heap of one works.
        top = np.where(logs[:, 1] < logs[:, 0], 0, 1)
        return np.where(top == label, probabilities[:, label], 1.0 - probabilities[:, 1 - label])

    def _score_by_library(self, library: Any, text: pa.LargeStringArray) -> np.ndarray:
        lines = [one_line(document, self.newlines) for document in text.to_pylist()]
        # A list: fasttext 0.9.3 fails on a single string under numpy 2.
        labels, probabilities = library.predict(lines, k=1 if self.rule == "top1" else -1)
        scores = np.full(len(lines), np.nan)
        for row, (names, values) in enumerate(zip(labels, probabilities, strict=True)):
            if self.label in names:
                scores[row] = values[names.index(self.label)]
            elif names:
                scores[row] = 1.0 - np.float64(values[0]) if self.rule == "top1" else 0.0
        return scores

    def _check(self, labels: tuple[str, ...]) -> None:
        if self.label not in labels:
            shown = ", ".join(labels[:10]) + (f", ... ({len(labels)})" if len(labels) > 10 else "")
            raise ConfigError(f"fasttext: {self.model} has no label {self.label!r}; it has: {shown}")
        if self.rule == "top1" and len(labels) > 2:
            raise ConfigError(f"fasttext: rule top1 is for two labels and {self.model} has {len(labels)}; write rule: label")


def one_line(text: str, newlines: Newlines) -> str:
    """The one line that fastText reads of a document."""
    return " ".join(text.strip().splitlines()) if newlines == "dclm" else text.replace("\n", " ")


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    """A model on local disk. `folder` holds it folded; where it is None the package scores, `because` of what."""

    path: Path
    sha256: str
    labels: tuple[str, ...]
    folder: Path | None
    because: str


@lru_cache(maxsize=8)
def _load(model: str, engine: str) -> _Loaded:
    from dolmino_cli.stages import fasttext_folded  # brings numba, so it is imported where it is used

    path = fetch(model)
    sha256 = model_cache.file_sha256(path)
    if engine == "library":
        return _Loaded(path=path, sha256=sha256, labels=read_model(path).labels, folder=None, because="the recipe says so")
    folder = cache_folder() / "fasttext" / f"{sha256}-{fasttext_folded.FORMAT}"
    if not folder.is_dir():
        read = read_model(path)
        if read.why_not_folded:
            if engine == "fold":
                raise ConfigError(f"fasttext: {model} cannot be folded, as {read.why_not_folded}; write engine: auto")
            return _Loaded(path=path, sha256=sha256, labels=read.labels, folder=None, because=read.why_not_folded)
        model_cache.make_once(folder, lambda scratch: fasttext_folded.write_folded(read, scratch))
    labels = fasttext_folded.load_folded(folder, path).labels
    return _Loaded(path=path, sha256=sha256, labels=labels, folder=folder, because="")


@lru_cache(maxsize=2)
def _library(path: Path) -> Any:
    try:
        import fasttext
    except ImportError:
        raise MissingExtra("fasttext", extra="fasttext", needed_for=f"the model {path.name}") from None
    return fasttext.load_model(str(path))
