"""Small evaluation sets, their index, and the rules in plain Python."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from uniseg.wordbreak import words as unicode_words

from dolmino_cli.sources.evaluation_index import IndexOptions, build_index
from dolmino_cli.sources.evaluation_sets import EvaluationSet
from dolmino_cli.stages.ngram_index import NgramIndex


def write_items(path: Path, texts: Sequence[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"question": text}) + "\n" for text in texts), encoding="utf-8")
    return path


def make_index(folder: Path, tasks: Mapping[str, Sequence[str]], **options: object) -> NgramIndex:
    """The index of these tasks' questions as `folder`/evals.index; instance ids are TASK.jsonl:LINE."""
    sets = [
        EvaluationSet(path=str(write_items(folder / "evals" / f"{task}.jsonl", texts)), fields=("question",), split="test")
        for task, texts in tasks.items()
    ]
    return build_index(sets, str(folder / "evals.index"), IndexOptions(**options))  # type: ignore[arg-type]


def split_words(text: str) -> list[str]:
    """The words of a text as written, by another implementation of UAX #29."""
    return [word for word in unicode_words(text) if not word.isspace()]


class Naive:
    """Sets of tuples of words: what the index and the kernel must agree with. `instances` without those too short to match."""

    def __init__(self, instances: Mapping[int, str], n: int) -> None:
        self.n = n
        self.grams: dict[int, set[tuple[str, ...]]] = {}
        self.lengths: dict[int, int] = {}
        self.holders: dict[tuple[str, ...], set[int]] = {}
        self.union: set[tuple[str, ...]] = set()
        for number, text in instances.items():
            words = split_words(text)
            self.lengths[number] = min(n, len(words))
            self.grams[number] = set(self.windows(words, self.lengths[number]))
            for gram in self.grams[number]:
                self.holders.setdefault(gram, set()).add(number)
            for line in text.split("\n"):
                self.union |= set(self.windows(split_words(line), n))

    @staticmethod
    def windows(words: Sequence[str], length: int) -> list[tuple[str, ...]]:
        return [tuple(words[at : at + length]) for at in range(len(words) - length + 1)]

    def shares(self, text: str) -> tuple[float, float, float]:
        """By the rules paper, ai2, instance."""
        words = split_words(text)
        windows = {length: self.windows(words, length) for length in set(self.lengths.values())}
        found = {number for grams in windows.values() for gram in grams for number in self.holders.get(gram, ())}
        paper = instance = 0.0
        for number in found:
            own, grams = windows[self.lengths[number]], self.grams[number]
            paper = max(paper, sum(gram in grams for gram in own) / len(own))
            instance = max(instance, len(grams.intersection(own)) / len(grams))
        lines = [grams for line in text.split("\n") if (grams := self.windows(split_words(line), self.n))]
        ai2 = max((sum(gram in self.union for gram in grams) / len(grams) for grams in lines), default=0.0)
        return paper, ai2, instance
