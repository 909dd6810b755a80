"""`reuse`: a score that the documents carry already, so that nothing is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from dolmino_cli.documents import Batch
from dolmino_cli.stages.number_field import numbers


@dataclass(frozen=True, kw_only=True)
class Reuse:
    """The score at a dotted path of the document, a JSON number; null where it is missing.

    DCLM-Baseline ships `fasttext_openhermes_reddit_eli5_vs_rw_v2_bigram_200k_train_prob` with every document. Dolmino's
    threshold, 0.03311014, most likely met that field: dolma rounds its own scores to 5 digits.
    """

    field: str
    """Dotted path of the score."""
    into: str
    """Name of the score here."""

    tolerance: ClassVar[float] = 0.0

    def prepare(self) -> dict[str, str]:
        """Nothing to load."""
        return {}

    def __call__(self, batch: Batch) -> pa.Array:
        """float64 per document. Raises DataError for what is no number."""
        return numbers(batch, self.field, text_allowed=False)
