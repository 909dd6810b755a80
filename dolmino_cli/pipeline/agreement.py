"""How far the scores of an approximate measure lie from their definition, on a sample of every shard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dolmino_cli.documents import Batch
from dolmino_cli.stages.stage import Measure, is_approximate

SAMPLE_DOCUMENTS = 32  # the first of every shard that the measure scores


@dataclass(kw_only=True)
class Agreement:
    """Absolute differences from the reference, in units of the score, over the documents compared.

    `unlike` counts documents of which only one of the two has a score.
    """

    documents: int = 0
    total: float = 0.0
    largest: float = 0.0
    unlike: int = 0

    @property
    def mean(self) -> float:
        """Mean difference; 0 when nothing was compared."""
        return self.total / self.documents if self.documents else 0.0

    def merge(self, other: Agreement) -> None:
        """Add the comparisons of another shard."""
        self.documents += other.documents
        self.total += other.total
        self.largest = max(self.largest, other.largest)
        self.unlike += other.unlike


def compare(stage: Measure, batch: Batch, scores: pa.Array, agreements: dict[str, Agreement]) -> None:
    """Compare the scores of a shard's first documents with the stage's reference, where it has one; add to `agreements`."""
    if not is_approximate(stage):
        return
    done = agreements[stage.into].documents + agreements[stage.into].unlike if stage.into in agreements else 0
    wanted = min(SAMPLE_DOCUMENTS - done, len(batch))
    if wanted <= 0:
        return
    reference = stage.reference(batch.where(np.arange(len(batch)) < wanted))
    if reference is None:
        return
    differences = pc.abs(pc.subtract(scores.slice(0, wanted).cast(pa.float64()), reference.cast(pa.float64())))
    unlike = pc.sum(pc.not_equal(pc.is_null(scores.slice(0, wanted)), pc.is_null(reference))).as_py()
    found = differences.drop_null().to_numpy()
    # A document without a score in either is compared as well: they agree.
    agreements.setdefault(stage.into, Agreement()).merge(
        Agreement(documents=wanted - unlike, total=float(found.sum()), largest=float(found.max(initial=0.0)), unlike=unlike)
    )
