"""`field_is`: whether a text that the document carries, such as its split or its language, is one of those wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from dolmino_cli.documents import Batch
from dolmino_cli.errors import ConfigError
from dolmino_cli.stages.document_field import plain_values_at, refuse


@dataclass(frozen=True, kw_only=True)
class FieldIs:
    """1 where the text at a dotted path is exactly one of `values`, 0 where it is another, null where there is none; int64.

    What keeps a test split out: without the field a document is undecided, and `keep` stops unless it is told otherwise.
    """

    field: str
    """Dotted path, such as metadata.split."""
    values: tuple[str, ...]
    """The texts wanted, compared as they stand."""
    into: str
    """Name of the score."""

    tolerance: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        if not self.values:
            raise ConfigError("values is empty; give at least one text")

    def prepare(self) -> dict[str, str]:
        """Nothing to load."""
        return {}

    def __call__(self, batch: Batch) -> pa.Array:
        """int64 per document. Raises DataError for a value that is no text."""
        found = plain_values_at(batch, self.field)
        for row, value in enumerate(found):
            if value is not None and not isinstance(value, str):
                refuse(f"{self.field!r} is {str(value)[:60]!r}; expected text", row, batch)
        wanted = frozenset(self.values)
        return pa.array([None if value is None else int(value in wanted) for value in found], pa.int64())
