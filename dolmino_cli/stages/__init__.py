"""Stages: one measure, edit or decision per file, and the table that recipes name them from."""

from __future__ import annotations

import importlib
from collections import UserDict
from typing import Any


class _Stages(UserDict[str, Any]):
    """Name -> class of `dolmino_cli/stages/<name>.py`, imported when it is looked up: all take 0.1 s, in every process."""

    def __getitem__(self, name: str) -> type:
        found = self.data[name]
        if isinstance(found, str):
            found = self.data[name] = getattr(importlib.import_module(f"{__name__}.{name}"), found)
        cls: type = found
        return cls

    def name_of(self, stage: object) -> str:
        """The name that recipes give a stage's class."""
        cls = type(stage)  # imported, but maybe by unpickling, and never looked up here
        return next(name for name, found in self.data.items() if found in (cls, cls.__name__))


STAGES = _Stages(
    {
        # Measures: each adds a score.
        "fasttext": "FastText",  # probability of a label by a supervised fastText model
        "classifier": "Classifier",  # score of a Transformer classifier, such as FineWeb-Edu's
        "repeated_ngrams": "RepeatedNgrams",  # longest contiguous repetition of a 1- to 13-token n-gram
        "word_concentration": "WordConcentration",  # share of the most frequent words
        "ngram_overlap": "NgramOverlap",  # share of n-grams in common with evaluation sets
        "in_index": "InIndex",  # whether it is an evaluation instance, by id or as a whole
        "length": "Length",  # characters, words, bytes or tokens
        "field": "Field",  # a number in the document's metadata
        "field_is": "FieldIs",  # whether a text in the document's metadata is one of those wanted
        "reuse": "Reuse",  # a score that the document carries
        # Edits: each writes documents anew, or drops them with reasons of its own.
        "program": "Program",  # programs of assignments alone, with the value of each
        "renumber": "Renumber",  # a solved word problem with other numbers
        # The decision.
        "keep": "Keep",
    }
)
