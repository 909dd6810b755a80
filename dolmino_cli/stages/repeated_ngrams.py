"""`repeated_ngrams`: how often the most repeated unit of 1 to 13 tokens stands in a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from dolmino_cli.documents import Batch
from dolmino_cli.errors import ConfigError

# From this many repeats on, testing the bytes first is faster than tokenising everything (measured: 2x at 8, 4x at 32).
_PREFILTER_FROM = 8


@dataclass(frozen=True, kw_only=True)
class RepeatedNgrams:
    """Repeats (int64) of the token n-gram, n from 1 to `max_period`, that is most often repeated without a break.

    The OLMo 2 paper drops documents with "32 or more" (sections 2.4.1 and 3.1: `keep: {below: 32}`), which is also the
    trainer's bound. The recipe that was run (dolma, branch soldni/crawl, configs/dolma-v2/dclm-long-seq.yml) drops `> 32`
    (`at_most: 32`), with the tokenizer allenai/eleuther-ai-gpt-neox-20b-pii-special and `window_characters: 100000`. A unit
    of p tokens over a run of L equal places counts floor((L + p) / p) times (dolma taggers/repetitions/utils.py and
    OLMo olmo/data/util.py, which agree).

    With a byte-level tokenizer and `count_from` of 8 or more, only documents whose bytes repeat are tokenised: k equal units
    of tokens are k equal units of bytes, of at most `max_period` times the longest token's bytes. Scores are the same.
    """

    tokenizer: str
    """Hub id, tokenizer.json or its folder."""

    into: str
    """Name of the score column."""

    max_period: int = 13
    """Longest unit, in tokens."""

    count_from: int = 3
    """Fewest repeats that are counted; fewer score 0. The definition counts from 3. A larger number is faster: give the
    bound that the score is kept by, or less."""

    window_characters: int | None = None
    """Cut texts into windows of so many code points, each tokenised by itself, and take the highest score of them;
    a repetition across a cut is split. Null for whole documents."""

    tolerance: ClassVar[float] = 0.0

    def __post_init__(self) -> None:
        for name, least in (("max_period", 1), ("count_from", 3), ("window_characters", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"repeated_ngrams: {name} is {value}; it must be {least} or more")

    def prepare(self) -> dict[str, str]:
        """Load the tokenizer; see `Measure.prepare`."""
        engine = self._engine()
        return {"tokenizer": engine.identity.name, "tokenizer_sha256": engine.identity.sha256, "engine": engine.description}

    def __call__(self, batch: Batch) -> pa.Array:
        """int64 per document, never null."""
        from dolmino_cli.buffers import text_buffers, text_column
        from dolmino_cli.kernels.repetition import repeat_counts

        if len(batch) == 0:
            return pa.array([], pa.int64())
        data, offsets = text_buffers(batch.text)
        pieces, first_piece = _windows(data, offsets, self.window_characters)
        scores = np.zeros(len(pieces) - 1, np.int64)
        known = batch.memo.get(("tokens", self.tokenizer)) if len(pieces) == len(offsets) else None
        chosen = None if known else self._worth_tokenising(data, pieces)
        if chosen is None:
            tokens = known or self._engine().encode(text_column(data, pieces))
            if len(pieces) == len(offsets):
                batch.memo[("tokens", self.tokenizer)] = tokens
            scores[:] = repeat_counts(tokens.ids, tokens.offsets, self.max_period, self.count_from)
        elif chosen.any():
            tokens = self._engine().encode(text_column(data, pieces).filter(pa.array(chosen)))
            scores[chosen] = repeat_counts(tokens.ids, tokens.offsets, self.max_period, self.count_from)
        return pa.array(np.maximum.reduceat(scores, first_piece))

    def _worth_tokenising(self, data: np.ndarray, pieces: np.ndarray) -> np.ndarray | None:
        """The pieces that may score, by their bytes; None where the bytes are not asked."""
        engine = self._engine()
        if self.count_from < _PREFILTER_FROM or not engine.byte_level:
            return None
        from dolmino_cli.kernels.repetition import may_repeat

        chosen: np.ndarray = may_repeat(data, pieces, self.max_period * engine.max_token_bytes, self.count_from)
        return chosen

    def _engine(self) -> Any:
        from dolmino_cli.tokenizer.engine import load_engine

        return load_engine(self.tokenizer)


def _windows(data: np.ndarray, offsets: np.ndarray, characters: int | None) -> tuple[np.ndarray, np.ndarray]:
    """(offsets of the windows, the first window of each document); with None, a document is its window."""
    if characters is None or not (np.diff(offsets) > characters).any():
        return offsets, np.arange(len(offsets) - 1)
    cuts = []
    for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        beginnings = np.zeros(1, np.int64)
        if end - start > characters:
            # A byte 10xxxxxx continues a code point; all others begin one.
            beginnings = np.flatnonzero(data[start:end] & 0xC0 != 0x80)[::characters]
        cuts.append(start + beginnings)
    first = np.concatenate([np.zeros(1, np.int64), np.cumsum([len(cut) for cut in cuts])[:-1]])
    return np.concatenate([*cuts, offsets[-1:]]), first
