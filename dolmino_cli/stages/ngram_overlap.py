"""`ngram_overlap`: how much of a document stands in an evaluation set, and in which instance of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa

from dolmino_cli.documents import Batch
from dolmino_cli.errors import ConfigError
from dolmino_cli.shards.model_cache import file_sha256
from dolmino_cli.stages.ngram_index import NgramIndex, load_index

Rule = Literal["paper", "ai2", "instance"]
RULES: tuple[Rule, ...] = ("paper", "ai2", "instance")  # in the order of the kernel's columns

EVIDENCE = pa.struct(
    [
        ("task", pa.string()),
        ("split", pa.string()),
        ("instance", pa.string()),
        ("number", pa.int64()),
        ("start_byte", pa.int64()),
        ("end_byte", pa.int64()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class NgramOverlap:
    """Share of n-grams, 0 to 1, that a document has in common with evaluation instances; exact, no Bloom filter.

    The score is 0 where nothing is in common, and for documents without an n-gram. n and what a word is are the index's. An
    instance of k < n words is matched as a whole: its n-gram is its k words in a row. The evidence names the instance
    (task, split, id, number in the index) and the longest stretch of the document that matches, in bytes of its UTF-8 text.
    """

    index: str
    """The file that `dolmino decontaminate index` wrote: a path, s3://bucket/key or hf://..."""

    into: str
    """Name of the score; the evidence is in the column NAME_evidence."""

    rule: Rule = "paper"
    """`paper` (OLMo 2 paper, section 4.3, "10% or more overlapping ngrams with any task instance"): of the n-grams of the
    document, the largest share found in any one instance. `ai2` (dolma, src/deduper.rs, with skip_short_paragraphs, as its
    branch soldni/classify-search-sources ran it): of the n-grams of a line, the largest share found on lines of instances
    taken together; lines and instances of fewer than n words are passed over. `instance` (ours): of the n-grams of any one
    instance, the share found in the document; 1 is all of it, however long the document."""

    stride: int = 1
    """Every how many words an n-gram of the document (of the line, under `ai2`) is looked at. Published: 1."""

    tolerance: ClassVar[float] = 0.0
    evidence: ClassVar[pa.DataType] = EVIDENCE

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ConfigError(f"stride is {self.stride}; allowed: 1 (every n-gram) or more")
        if self.rule == "instance" and self.stride > 1:
            raise ConfigError(f"stride {self.stride} would miss n-grams of the instance; the rule `instance` needs stride: 1")

    def prepare(self) -> dict[str, str]:
        """Map the index and compile the kernel; see `Measure.prepare`."""
        import dolmino_cli.kernels.ngram_overlap  # noqa: F401

        index = load_index(self.index)
        return {"index_sha256": file_sha256(index.path), "words": f"{index.words}, Unicode {index.unicode}"}

    def __call__(self, batch: Batch) -> pa.Array:
        """float64 per document."""
        return self.explain(batch)[0]

    def explain(self, batch: Batch) -> tuple[pa.Array, pa.Array]:
        """Per document the score (float64), and its evidence (EVIDENCE; null where the score is 0)."""
        index = load_index(self.index)
        key = (NgramOverlap, self.index, self.stride)
        if key not in batch.memo:  # One pass over the text serves all rules.
            batch.memo[key] = index.overlap(batch.text, stride=self.stride)
        shares, places = batch.memo[key]
        column = RULES.index(self.rule)
        return pa.array(shares[:, column]), evidence_rows(index, places[:, column])


def evidence_rows(index: NgramIndex, places: np.ndarray) -> pa.Array:
    """EVIDENCE of `places`, (documents, 3) int64: instance or -1, start and end byte; null where there is no instance."""
    rows: list[dict[str, object] | None] = [None] * len(places)
    for row in np.flatnonzero(places[:, 0] >= 0).tolist():
        number, start, end = places[row].tolist()
        task = index.task_of(number)
        name = index.instance_id(number)
        rows[row] = {"task": task.task, "split": task.split, "instance": name, "number": number}
        rows[row] |= {"start_byte": start, "end_byte": end}  # type: ignore[operator]
    return pa.array(rows, EVIDENCE)
