"""What a stage is: a frozen keyword-only dataclass of its parameters. It measures, edits or (`keep`) decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

import numpy as np
import pyarrow as pa

from dolmino_cli.documents import Batch

if TYPE_CHECKING:
    from typing_extensions import TypeIs


class Measure(Protocol):
    """Adds one named score column and drops nothing.

    The answer for a document depends on the measure's fields and the document alone: never on order, batch
    size or process. Measures are equal, hashable and picklable by their fields; whatever is heavy (models,
    tokenizers) is loaded on first use in each process and kept by a cache keyed on the fields.
    """

    @property
    def into(self) -> str:
        """Name of the score column."""

    @property
    def tolerance(self) -> float:
        """How far a score may lie from its definition's (0 = exact). Decisions closer than this to a bound are counted."""

    def prepare(self) -> dict[str, str]:
        """Run once before any worker starts: fetch and check what the measure needs.

        Returns the identity of what was loaded (sha256 of the model, engine and version, ...); it becomes part
        of the recipe's hash and stands in every ledger entry. Raises ConfigError, StorageError or MissingExtra.
        """

    def __call__(self, batch: Batch) -> pa.Array:
        """One score per document of the batch, float64 or int64; null = could not be measured."""


class Wide(Measure, Protocol):
    """A measure that is faster with more documents at once than a batch usually has."""

    @property
    def batch_bytes(self) -> int:
        """About how many bytes of decompressed shard a batch should have; asked in the process that measures."""


class Approximate(Measure, Protocol):
    """A measure that trades exactness for speed in a way that only shows on the documents at hand."""

    def reference(self, batch: Batch) -> pa.Array | None:
        """The scores by the definition, slowly; None when `__call__` gives these already.

        A run asks for a sample of every shard and reports how far the scores lie from it.
        """


class Accelerated(Wide, Approximate, Protocol):
    """A measure that a GPU does many times as fast, of id and text alone: where a run has GPUs, it is done there."""

    @property
    def accelerated(self) -> bool:
        """True; that it is there says what the measure is."""


class Explaining(Measure, Protocol):
    """A measure that also says why: a second column, NAME_evidence, beside its score NAME."""

    @property
    def evidence(self) -> pa.DataType:
        """Type of the evidence column."""

    def explain(self, batch: Batch) -> tuple[pa.Array, pa.Array]:
        """The scores of `__call__`, and one evidence entry per document, null where there is nothing to say."""


def explains(measure: Measure) -> TypeGuard[Explaining]:
    """Whether `measure` writes an evidence column."""
    return hasattr(measure, "explain")


# By one attribute: `isinstance` of a protocol takes 15 microseconds, and is asked for every batch.
def edits(stage: object) -> TypeIs[Edit]:
    """Whether `stage` writes documents anew."""
    return hasattr(stage, "edit")


def is_wide(measure: Measure) -> TypeGuard[Wide]:
    """Whether `measure` asks for batches of its own size."""
    return hasattr(measure, "batch_bytes")


def is_approximate(measure: Measure) -> TypeGuard[Approximate]:
    """Whether `measure` can be compared with a reference."""
    return hasattr(measure, "reference")


def is_accelerated(measure: object) -> TypeGuard[Accelerated]:
    """Whether `measure` wants a GPU."""
    return hasattr(measure, "accelerated")


def evidence_name(measure: Measure) -> str:
    """Name of the evidence column of a measure that explains."""
    return f"{measure.into}_evidence"


@dataclass(frozen=True, kw_only=True)
class Edited:
    """What an edit made of a batch: one row per document of it, in order. Rows that are dropped may hold anything."""

    id: pa.LargeStringArray
    """The ids from here on; a document that says something else than the one it was made of has another id."""

    text: pa.LargeStringArray
    """The texts from here on."""

    metadata: Sequence[Mapping[str, Any] | None]
    """What the documents' `metadata` gets in addition, JSON-able; None for nothing."""

    dropped: np.ndarray
    """int32: the number of the reason in `Edit.reasons` that a document is dropped with, -1 where it stays."""


class Edit(Protocol):
    """Writes every document anew, or drops it with a reason of its own where it cannot.

    The answer for a document depends on the edit's fields and the document alone, as a measure's does. Later stages see
    the new text; attributes keep one row per document that came in, with the id it came with.
    """

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every reason it may drop a document with, in the order in which they are looked for."""

    def prepare(self) -> dict[str, str]:
        """As `Measure.prepare`."""

    def edit(self, batch: Batch) -> Edited:
        """The documents of `batch`, written anew or dropped."""
