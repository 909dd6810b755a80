"""Batch: the one record that flows through everything, some thousand documents as Arrow columns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

BATCH_BYTES = 1 << 20  # of a batch, about, decompressed; a stage may ask for more


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Consecutive documents of one shard. All columns have the same length, one row per document.

    `record` is the document as it was read, so that an untouched document is written back as its original
    bytes: for JSONL the line without its line end (large_binary), for Parquet the whole row (struct); null where the reader was
    told not to keep it.
    `line` is the document's place in its shard, 1-based: a line of JSONL, a row of Parquet.
    `memo` holds what one stage computed and another may reuse (token ids, say), for this batch only.
    """

    shard: str
    id: pa.LargeStringArray
    text: pa.LargeStringArray
    record: pa.Array
    line: pa.Int64Array
    memo: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        lengths = {len(self.id), len(self.text), len(self.record), len(self.line)}
        assert len(lengths) == 1, f"columns of unequal length {lengths} in a batch of {self.shard}"

    def __len__(self) -> int:
        return len(self.id)

    def where(self, mask: np.ndarray) -> Batch:
        """The documents where `mask` (bool, one per document) is true, in order; itself when all are."""
        if mask.all():
            return self
        chosen = pa.array(mask)
        return replace(
            self,
            id=self.id.filter(chosen),
            text=self.text.filter(chosen),
            record=self.record.filter(chosen),
            line=self.line.filter(chosen),
            memo={},
        )
