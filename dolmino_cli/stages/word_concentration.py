"""`word_concentration`: the share of a text that its most frequent words make up."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa

from dolmino_cli.documents import Batch


@dataclass(frozen=True, kw_only=True)
class WordConcentration:
    """Occurrences of the most frequent word (top 1), or of the two most frequent (top 2), over all words: 0 to 1.

    `starcoder` words are those of Ai2's tagger (dolma, branch soldni/crawl, taggers/repetitions/top_k.py): the text is
    split at runs of non-word characters and before CamelCase pieces, and both the pieces and the runs count as words once
    stripped, if anything is left. The OLMo 2 paper (section 2.4.1) drops code whose top word exceeds 30 % or whose top two exceed
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
        """Say whose word characters count, and compile the kernel; see `Measure.prepare`."""
        import dolmino_cli.kernels.words  # noqa: F401

        return {"unicode": unicodedata.unidata_version}

    def __call__(self, batch: Batch) -> pa.Array:
        """float64 per document; null for a text without words."""
        from dolmino_cli.buffers import text_buffers
        from dolmino_cli.kernels.unicode import word_characters
        from dolmino_cli.kernels.words import count_top_words

        counts = count_top_words(*text_buffers(batch.text), word_characters(), self.words == "whitespace")
        total = counts[:, 2]
        shares = counts[:, : self.top].sum(axis=1) / np.maximum(total, 1)
        return pa.array(shares, mask=total == 0)
