"""Taggers for `dolma tag`: dolma's own DCLM quality and repetition taggers, with local files instead of downloads.

BENCH_MODEL and BENCH_TOKENIZER name the fastText model and the tokenizer.json.
"""

from __future__ import annotations

import os

from dolma.core.registry import TaggerRegistry
from dolma.taggers.quality import DclmQualityClassifier
from dolma.taggers.repetitions.repetitions_taggers import TokenizerRepetitionsTagger
from tokenizers import Tokenizer


@TaggerRegistry.add("bench-quality")
class BenchQuality(DclmQualityClassifier):
    """P(__label__hq) of the benchmark's model; MODEL_PATH is all that differs."""

    MODEL_PATH = os.environ["BENCH_MODEL"]


@TaggerRegistry.add("bench-repetitions")
class BenchRepetitions(TokenizerRepetitionsTagger):
    """Repeated n-grams of 1..13 tokens of the benchmark's tokenizer."""

    def __init__(self) -> None:
        self.tokenizer = Tokenizer.from_file(os.environ["BENCH_TOKENIZER"])
