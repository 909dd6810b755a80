"""`field`: a number that the document carries, such as its stars, votes or licence count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from dolmino_cli.documents import Batch
from dolmino_cli.stages.number_field import numbers


@dataclass(frozen=True, kw_only=True)
class Field:
    """The number at a dotted path of the document; null where it is missing.

    Numeric text counts as a number: Ai2's StarCoder rule reads `(.metadata.max_stars_count|tonumber) > 1` (dolma,
    configs/dolma-v2_0/mix-starcoder.yaml), which the paper words as two stars or more.
    """

    field: str
    """Dotted path, such as metadata.max_stars_count."""
    into: str
    """Name of the score."""

    tolerance: ClassVar[float] = 0.0

    def prepare(self) -> dict[str, str]:
        """Nothing to load."""
        return {}

    def __call__(self, batch: Batch) -> pa.Array:
        """float64 per document. Raises DataError for what is neither a number nor numeric text."""
        return numbers(batch, self.field, text_allowed=True)
