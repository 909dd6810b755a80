"""`classifier`: the score of a Transformer sequence classifier, such as FineWeb-Edu's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from dolmino_cli.documents import BATCH_BYTES, Batch
from dolmino_cli.errors import ConfigError

FLOAT32_TOLERANCE = 1e-4
# A GPU wants thousands of documents at once, of which many have like lengths.
_GPU_BATCH_BYTES = 16 << 20

Output = Literal["logit", "int_score", "probability"]


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """Raw logit (float64) of a BERT-style sequence classifier over the first `max_tokens` tokens of a text.

    With HuggingFaceFW/fineweb-edu-classifier this is the FineWeb-Edu score, unclamped, as its authors compute it (cosmopedia,
    classification/run_edu_bert.py: bfloat16) and as Ai2 ran it for Dolmino (dolma, branch soldni/classify-search-sources,
    classifiers/: float16). Ai2's "FW >= 2" compares the raw logit; FineWeb-Edu itself keeps `int_score` >= 3, a logit of 2.5.

    float32 scores are within 1e-4 of a plain transformers forward pass in any order and batch; those of a narrower dtype are
    compared with float32 on a sample of every shard. A score that is not finite is null.
    """

    model: str
    """Hub id (owner/name) or a folder written by save_pretrained. safetensors only; code in the repository is never run."""

    into: str
    """Name of the score column."""

    revision: str | None = None
    """Branch, tag or commit of a hub id; the main branch when not given."""

    output: Output = "logit"
    """`logit`; `int_score`: the logit clamped to 0..5 and rounded half to even, int64, as FineWeb-Edu's column; `probability`:
    softmax over the labels (of models for several labels at once: sigmoid)."""

    label: str | None = None
    """Of a model with several labels, the one whose output is the score. Not given for a model with one."""

    max_tokens: int = 512
    """Texts are cut after so many tokens, special tokens included."""

    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of weights and arithmetic. `auto` is bfloat16 where the device multiplies it natively, else float32 (on a GPU: float16)."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` is a GPU where there is one. Several GPUs are shared out over the workers."""

    batch_tokens: int | None = None
    """Most tokens in a batch; chosen by device when not given (1,024 on a CPU, 32,768 on a GPU)."""

    compile: Literal["auto", "yes", "no"] = "auto"
    """torch.compile the model: `auto` does on a GPU, where it can be."""

    accelerated: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.max_tokens < 3:
            raise ConfigError(f"classifier: max_tokens is {self.max_tokens}; it must be 3 or more, with the special tokens")
        if self.batch_tokens is not None and self.batch_tokens < 1:
            raise ConfigError(f"classifier: batch_tokens is {self.batch_tokens}; it must be 1 or more")

    @property
    def tolerance(self) -> float:
        """How far float32 scores may lie from a plain forward pass; of a narrower dtype, see `reference`."""
        return 0.0 if self.output == "int_score" else FLOAT32_TOLERANCE

    @property
    def batch_bytes(self) -> int:
        """Text wanted at once; see `stages.stage`."""
        from dolmino_cli.stages.classifier_model import choose_device

        return _GPU_BATCH_BYTES if choose_device(self.device) == "cuda" else BATCH_BYTES

    def prepare(self) -> dict[str, str]:
        """Load the model once, to see that it can be; see `Measure.prepare`."""
        from importlib import metadata

        loaded, folder = self._load()
        self._label(loaded.labels)
        if self.output == "probability" and len(loaded.labels) == 1:
            raise ConfigError(f"classifier: output probability, and {self.model} has one output, a score; write output: logit")
        return {
            "model_sha256": folder.weights_sha256,
            "tokenizer_sha256": loaded.tokenizer.sha256,
            "dtype": self._dtype(),
            "device": loaded.name,
            "library": f"torch {metadata.version('torch')}, transformers {metadata.version('transformers')}",
        }

    def __call__(self, batch: Batch) -> pa.Array:
        """float64 per document, or int64 for `int_score`; null where the model's output is not finite."""
        loaded, _ = self._load()
        logits = loaded.logits(batch.text).astype(np.float64)
        chosen = self._label(loaded.labels)
        scores = logits[:, chosen]
        if self.output == "probability":
            others = np.zeros((len(logits), 1)) if loaded.many_of else np.delete(logits, chosen, axis=1)
            with np.errstate(over="ignore", invalid="ignore"):  # exp of much is inf, and the probability 0
                scores = 1 / (1 + np.exp(others - scores[:, None]).sum(axis=1))
        absent = ~np.isfinite(scores)
        if self.output == "int_score":
            rounded = np.rint(np.clip(np.where(absent, 0.0, scores), 0, 5)).astype(np.int64)
            return pa.array(rounded, mask=absent)
        return pa.array(scores, mask=absent)

    def reference(self, batch: Batch) -> pa.Array | None:
        """The same in float32, to compare with; None where that is what is scored with."""
        if self._dtype() == "float32":
            return None
        return replace(self, dtype="float32", compile="no")(batch)

    def _dtype(self) -> Literal["float32", "bfloat16", "float16"]:
        from dolmino_cli.stages.classifier_model import choose_device, choose_dtype

        return choose_dtype(self.dtype, choose_device(self.device))

    def _load(self) -> tuple[Any, Any]:
        from dolmino_cli.stages.classifier_model import choose_device, load_model

        device = choose_device(self.device)
        return load_model(self.model, self.revision, self.max_tokens, self._dtype(), device, self.batch_tokens, self.compile)

    def _label(self, labels: tuple[str, ...]) -> int:
        if len(labels) == 1 and self.label is None:
            return 0
        if len(labels) == 1 or self.label not in labels:
            shown = ", ".join(labels[:10]) + (f", ... ({len(labels)})" if len(labels) > 10 else "")
            given = "no label is given" if self.label is None else f"label {self.label!r} is given"
            wanted = "it has one output and takes no label" if len(labels) == 1 else f"it has: {shown}"
            raise ConfigError(f"classifier: {given} for {self.model}; {wanted}")
        return labels.index(self.label)
