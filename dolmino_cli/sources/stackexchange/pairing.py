"""The second pass: a partition's questions and the answers that they accept -> documents, in order of answer id."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from dolmino_cli.errors import DataError
from dolmino_cli.sources.stackexchange import spill
from dolmino_cli.sources.stackexchange.posts import INTEGERS, Posts, posts_of
from dolmino_cli.sources.stackexchange.text import Profile, pair_text

_PAIRS_AT_ONCE = 512
_OF_QUESTION = ("Id", "Score", "ViewCount", "CreationDate", "Title", "Body", "Tags", "ContentLicense")
_OF_ANSWER = ("Id", "Score", "CreationDate", "LastActivityDate", "Body", "ContentLicense")


@dataclass(kw_only=True)
class PairTally:
    """What became of the posts of partitions: questions = pairs + low_questions + missing; answers = used + low_used + rest."""

    questions: int = 0
    answers: int = 0
    pairs: int = 0
    low_questions: int = 0
    """Questions whose accepted answer has too low a score."""
    missing: int = 0
    """Questions whose accepted answer is not in the dump."""
    used: int = 0
    low_used: int = 0
    """Accepted answers, each counted once, that are in a pair, or are not for their score."""
    text_bytes: int = 0

    def add(self, other: PairTally) -> None:
        """Count another one's here."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


def pair_partition(folder: Path, partition: int, tally: PairTally, *, path: str) -> tuple[Posts, Posts]:
    """Questions and the answers that they accept, row by row, in order of answer id (then question id).

    A pair is a question and an answer of its site whose Id is the question's AcceptedAnswerId, whatever the answer's ParentId
    says. Raises DataError, naming `path`, when an answer, or a question with the same accepted answer, stands twice.
    """
    questions = _joined([posts.lines() for posts in spill.read_rows(folder, "questions", partition)])
    wanted = np.unique(questions.integer("AcceptedAnswerId"))
    ids, kept = [spill.read_low(folder, partition)], []
    low = np.unique(ids[0])
    for posts in spill.read_rows(folder, "answers", partition):
        ids.append(posts.integer("Id"))
        kept.append(posts.where(_is_in(ids[-1], wanted)).lines())
    _refuse_twice(np.concatenate(ids), "answer", path)
    answers = _joined(kept)
    answers = answers.where(np.argsort(answers.integer("Id")))
    questions = questions.where(np.lexsort((questions.integer("Id"), questions.integer("AcceptedAnswerId"))))
    _refuse_twice(questions.integer("Id"), "question", path)
    accepted, good = questions.integer("AcceptedAnswerId"), answers.integer("Id")
    found, is_low = _is_in(accepted, good), _is_in(accepted, low)
    tally.questions += len(questions)
    tally.answers += sum(map(len, ids))
    tally.pairs += int(found.sum())
    tally.low_questions += int(is_low.sum())
    tally.missing += int((~found & ~is_low).sum())
    tally.used += len(good)
    tally.low_used += int(_is_in(low, wanted).sum())
    return questions.where(found), answers.where(np.searchsorted(good, accepted[found]))


def _joined(lines: list[np.ndarray]) -> Posts:
    return posts_of(np.concatenate([np.empty(0, np.uint8), *lines]))


def _is_in(values: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Which values stand in a sorted table."""
    places = np.searchsorted(table, values)
    places[places == len(table)] = 0
    return table[places] == values if len(table) else np.zeros(len(values), bool)


def _refuse_twice(ids: np.ndarray, what: str, path: str) -> None:
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        found = f"the {what} with Id {values[counts > 1][0]} stands in it {counts.max()} times"
        raise DataError(f"{found}; was one dump appended to another?", path=path)


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Makes documents of pairs; `convert` turns a body's HTML into text."""

    site: str
    profile: Profile
    convert: Callable[[str], str]

    def documents(self, questions: Posts, answers: Posts, tally: PairTally) -> Iterator[pa.LargeBinaryArray]:
        """The pairs as JSON lines without line ends, in order, some hundred at a time."""
        encoder = msgspec.json.Encoder()
        for first in range(0, len(questions), _PAIRS_AT_ONCE):
            some = np.arange(first, min(first + _PAIRS_AT_ONCE, len(questions)))
            pairs = zip(_values(questions.where(some), _OF_QUESTION), _values(answers.where(some), _OF_ANSWER), strict=True)
            documents = [self._document(question, answer) for question, answer in pairs]
            tally.text_bytes += sum(len(document["text"].encode()) for document in documents)
            yield pa.array([encoder.encode(document) for document in documents], pa.large_binary())

    def _document(self, question: tuple[Any, ...], answer: tuple[Any, ...]) -> dict[str, Any]:
        question_id, question_score, views, created, title, question_html, tags, question_license = question
        answer_id, answer_score, answered, changed, answer_html, answer_license = answer
        bodies = self.convert(question_html), self.convert(answer_html)
        return {
            "id": f"{self.site}-{question_id}-{answer_id}",
            "text": pair_text(title, *bodies, profile=self.profile),
            "source": "stackexchange",
            "added": _time(changed or answered),
            "created": _time(created),
            "metadata": {
                "forum": self.site,
                "question_id": question_id,
                "answer_id": answer_id,
                "question_score": question_score,
                "answer_score": answer_score,
                "question_views": views,
                "question_license": question_license or None,
                "answer_license": answer_license or None,
                # `<a><b>` until about 2023, `|a|b|` since.
                "tags": [tag for tag in tags.replace("><", "|").strip("<>|").split("|") if tag],
            },
        }


def _values(posts: Posts, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The posts' attributes, an absent integer as 0, an absent text as empty."""
    columns = [(posts.integer(name, default=0) if name in INTEGERS else posts.text(name)).tolist() for name in names]
    return zip(*columns, strict=True)


def _time(value: str) -> str | None:
    """A dump's time, UTC without saying so, as ISO 8601 that says so."""
    return f"{value}Z" if value and not value.endswith("Z") else value or None
