"""`length`: how long a text is, in the unit that a rule means."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc

from dolmino_cli.documents import Batch
from dolmino_cli.errors import ConfigError

Unit = Literal["characters", "words", "bytes", "trimmed_bytes", "word_pieces", "tokens"]


@dataclass(frozen=True, kw_only=True)
class Length:
    """Length of the text, int64.

    characters: code points. words: as Python's `str.split()` counts. bytes: of UTF-8. trimmed_bytes: of UTF-8 of the
    text without Unicode white space at its ends, which dolma's `min_text_length` compares (dolma, src/shard.rs).
    word_pieces: what dolma's `whitespace_tokenizer_v1` counts, runs of word characters and of punctuation, plus one (dolma,
    taggers/length.py: it counts the gaps between them). tokens: ids of `tokenizer`, without an end of text.
    """

    unit: Unit
    """What is counted."""
    into: str
    """Name of the score."""
    tokenizer: str | None = None
    """For tokens: hub id, tokenizer.json or its folder."""

    tolerance: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        if (self.unit == "tokens") != (self.tokenizer is not None):
            raise ConfigError(
                f"unit {self.unit!r} with tokenizer {self.tokenizer!r}; `tokens` needs a tokenizer, the others take none"
            )

    def prepare(self) -> dict[str, str]:
        """Load the tokenizer where there is one, and say whose word characters count; see `Measure.prepare`."""
        if self.unit == "word_pieces":
            return {"unicode": unicodedata.unidata_version}
        if self.tokenizer is None:
            return {}
        from dolmino_cli.tokenizer.engine import load_engine

        engine = load_engine(self.tokenizer)
        return {"tokenizer_sha256": engine.identity.sha256, "engine": engine.description}

    def __call__(self, batch: Batch) -> pa.Array:
        """int64 per document."""
        if self.unit == "characters":
            return pc.utf8_length(batch.text).cast(pa.int64())
        if self.unit == "bytes":
            return pc.binary_length(batch.text).cast(pa.int64())
        if self.unit == "tokens":
            return self._tokens(batch)
        from dolmino_cli.buffers import text_buffers
        from dolmino_cli.kernels.unicode import word_characters
        from dolmino_cli.kernels.words import count_trimmed_bytes, count_word_pieces, count_words

        data, offsets = text_buffers(batch.text)
        if self.unit == "words":
            return pa.array(count_words(data, offsets))
        if self.unit == "trimmed_bytes":
            return pa.array(count_trimmed_bytes(data, offsets))
        # re.split gives one part more than there are matches.
        return pa.array(count_word_pieces(data, offsets, word_characters()) + 1)

    def _tokens(self, batch: Batch) -> pa.Array:
        from dolmino_cli.tokenizer.engine import load_engine

        assert self.tokenizer is not None
        key = ("tokens", self.tokenizer)
        if key not in batch.memo:
            batch.memo[key] = load_engine(self.tokenizer).encode(batch.text)
        offsets = batch.memo[key].offsets
        return pa.array(offsets[1:] - offsets[:-1], pa.int64())
