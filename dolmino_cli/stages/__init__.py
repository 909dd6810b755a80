"""Stages: one measure or one decision per file, and the table that recipes name them from."""

from __future__ import annotations

from dolmino_cli.stages.classifier import Classifier
from dolmino_cli.stages.fasttext import FastText
from dolmino_cli.stages.field import Field
from dolmino_cli.stages.field_is import FieldIs
from dolmino_cli.stages.in_index import InIndex
from dolmino_cli.stages.keep import Keep
from dolmino_cli.stages.length import Length
from dolmino_cli.stages.ngram_overlap import NgramOverlap
from dolmino_cli.stages.program import Program
from dolmino_cli.stages.renumber import Renumber
from dolmino_cli.stages.repeated_ngrams import RepeatedNgrams
from dolmino_cli.stages.reuse import Reuse
from dolmino_cli.stages.word_concentration import WordConcentration

STAGES: dict[str, type] = {
    # Measures: each adds a score.
    "fasttext": FastText,  # probability of a label by a supervised fastText model
    "classifier": Classifier,  # score of a Transformer classifier, such as FineWeb-Edu's
    "repeated_ngrams": RepeatedNgrams,  # longest contiguous repetition of a 1- to 13-token n-gram
    "word_concentration": WordConcentration,  # share of the most frequent words
    "ngram_overlap": NgramOverlap,  # share of n-grams in common with evaluation sets
    "in_index": InIndex,  # whether it is an evaluation instance, by id or as a whole
    "length": Length,  # characters, words, bytes or tokens
    "field": Field,  # a number in the document's metadata
    "field_is": FieldIs,  # whether a text in the document's metadata is one of those wanted
    "reuse": Reuse,  # a score that the document carries
    # Edits: each writes documents anew, or drops them with reasons of its own.
    "program": Program,  # programs of assignments alone, with the value of each
    "renumber": Renumber,  # a solved word problem with other numbers
    # The decision.
    "keep": Keep,
}
