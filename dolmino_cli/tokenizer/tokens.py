"""Tokens: the ids of consecutive documents, one flat array and where each document begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.uint32]
Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tokens:
    """Document i is `ids[offsets[i]:offsets[i + 1]]`; `offsets` has one entry more than there are documents."""

    ids: Ids
    offsets: Offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def document(self, row: int) -> Ids:
        """The ids of one document."""
        return self.ids[self.offsets[row] : self.offsets[row + 1]]

    def ended(self, end_id: int) -> Tokens:
        """The same documents, each with `end_id` after its ids."""
        return Tokens(np.insert(self.ids, self.offsets[1:], end_id), self.offsets + np.arange(len(self.offsets)))

    @classmethod
    def of(cls, documents: list[Ids]) -> Tokens:
        """The documents' ids put one after another."""
        offsets = np.zeros(len(documents) + 1, np.int64)
        np.cumsum([len(ids) for ids in documents], out=offsets[1:])
        return cls(np.concatenate(documents) if documents else np.empty(0, np.uint32), offsets)
