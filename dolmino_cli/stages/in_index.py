"""`in_index`: whether a document is an evaluation instance by its id, or holds the whole text of one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa

from dolmino_cli.documents import Batch
from dolmino_cli.shards.model_cache import file_sha256
from dolmino_cli.stages.ngram_index import NgramIndex, load_index
from dolmino_cli.stages.ngram_overlap import EVIDENCE, evidence_rows

_NOTHING = (-1, 0, 0)
_WORD = re.compile(r"\S+")
# The id of an item in data without ids: its file and line (`evaluation_sets`), which no document has.
_LINE = re.compile(r"[^/]+\.(?:jsonl?|ndjson|csv|tsv|parquet|arrow)(?:\.\w+)?:\d+(?:#.*)?", re.DOTALL)

Match = tuple[int, int, int]
"""Number of an instance (-1 for none), and where it stands in the text, in bytes of UTF-8."""


@dataclass(frozen=True, kw_only=True)
class InIndex:
    """1 where the document is in the index by `by`, 0 where it is not; int64, exact. The evidence names the instance.

    Of several instances that a document holds the evidence has the one that comes first in the index.
    """

    index: str
    """The file that `dolmino decontaminate index` wrote: a path, s3://bucket/key or hf://..."""

    by: Literal["id", "text"]
    """`id`: the document's id is an instance's, letter by letter (the index's `--id-field`). `text`: the text holds a whole
    instance as written, where any run of white space equals any other; instances too short to match are passed over."""

    into: str
    """Name of the score; the evidence is in the column NAME_evidence."""

    tolerance: ClassVar[float] = 0.0
    evidence: ClassVar[pa.DataType] = EVIDENCE

    def prepare(self) -> dict[str, str]:
        """Map the index; see `Measure.prepare`. By id it is said, too, how many of the ids are the data's own."""
        index = load_index(self.index)
        loaded = {"index_sha256": file_sha256(index.path)}
        if self.by == "id":
            own = sum(_LINE.fullmatch(index.instance_id(number)) is None for number in range(index.instances))
            loaded["ids"] = f"{own} of {index.instances} are the data's own" if own else "none are the data's own (--id-field)"
        return loaded

    def __call__(self, batch: Batch) -> pa.Array:
        """int64 per document."""
        return self.explain(batch)[0]

    def explain(self, batch: Batch) -> tuple[pa.Array, pa.Array]:
        """Per document 1 or 0, and its evidence (EVIDENCE; null where the score is 0)."""
        index = load_index(self.index)
        if self.by == "id":
            numbers = _numbers_by_id(index)
            matches = [(numbers.get(name, -1), 0, 0) for name in batch.id.to_pylist()]
        else:
            anchors = _anchors(index)
            matches = [_held(text, anchors, index) for text in batch.text.to_pylist()]
        places = np.array(matches, np.int64).reshape(-1, 3)
        return pa.array((places[:, 0] >= 0).astype(np.int64)), evidence_rows(index, places)


@lru_cache(maxsize=4)
def _numbers_by_id(index: NgramIndex) -> Mapping[str, int]:
    return {index.instance_id(number): number for number in reversed(range(index.instances))}


@lru_cache(maxsize=4)
def _anchors(index: NgramIndex) -> Mapping[tuple[str, ...], list[int]]:
    """Instances by three words in a row that a document must have if it holds them.

    They are not the first and last word, to which the document may have put a quotation mark. Instances of fewer than five
    words are under the empty anchor, which every document has.
    """
    anchors: dict[tuple[str, ...], list[int]] = {}
    for number in range(index.instances):
        if not index.is_too_short(number):
            inner = index.instance_text(number).split()[1:-1]
            anchor = tuple(inner[:3]) if len(inner) >= 3 else ()
            anchors.setdefault(anchor, []).append(number)
    return anchors


def _held(text: str, anchors: Mapping[tuple[str, ...], list[int]], index: NgramIndex) -> Match:
    """The first instance that `text` holds, and where."""
    words = text.split()
    shared = anchors.keys() & {(), *zip(words, words[1:], words[2:], strict=False)}
    plain = " ".join(words) if shared else ""
    for number in sorted(number for anchor in shared for number in anchors[anchor]):
        wanted = " ".join(index.instance_text(number).split())
        at = plain.find(wanted)
        if at >= 0:
            starts = [found.start() for found in _WORD.finditer(text)]
            start, end = (_place(plain, place, starts) for place in (at, at + len(wanted)))
            return number, len(text[:start].encode()), len(text[:end].encode())
    return _NOTHING


def _place(plain: str, at: int, starts: list[int]) -> int:
    """Where the character `at` of the words joined by spaces stands in the text whose words begin at `starts`."""
    return starts[plain.count(" ", 0, at)] + at - (plain.rfind(" ", 0, at) + 1)
