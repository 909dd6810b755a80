"""`word_concentration`: the share of a text that its most frequent words make up."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar, Literal

import pyarrow as pa

from dolmino_cli.documents import Batch

_STARCODER_SPLIT = re.compile(r"(\W+|[A-Z]\w+)")


@dataclass(frozen=True, kw_only=True)
class WordConcentration:
    """Occurrences of the most frequent word (top 1), or of the two most frequent (top 2), over all words: 0 to 1.

    `starcoder` words are those of Ai2's tagger (dolma, branch soldni/crawl, taggers/repetitions/top_k.py): the text is
    split at runs of non-word characters and before CamelCase pieces, and both the pieces and the runs count as words once
    stripped, if anything is left. The paper (section 4.3) drops code whose top word exceeds 30 % or whose top two exceed
    50 %; the executed configuration dropped top 1 at 0.3 or more, and had no rule for two.
    """

    top: Literal[1, 2]
    """How many of the most frequent words are added up."""
    into: str
    """Name of the score."""
    words: Literal["starcoder", "whitespace"] = "starcoder"
    """What a word is."""

    tolerance: ClassVar[float] = 0.0

    def prepare(self) -> dict[str, str]:
        """Nothing to load."""
        return {}

    def __call__(self, batch: Batch) -> pa.Array:
        """float64 per document; null for a text without words."""
        return pa.array([self._share(text) for text in batch.text.to_pylist()], pa.float64())

    def _share(self, text: str) -> float | None:
        if self.words == "whitespace":
            words = text.split()
        else:
            words = [word for piece in _STARCODER_SPLIT.split(text) if (word := piece.strip())]
        if not words:
            return None
        return sum(count for _, count in Counter(words).most_common(self.top)) / len(words)
