"""Documents with a label -> lines as fastText reads them, each text once, some of them held out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import pyarrow as pa

from dolmino_cli.documents import Batch
from dolmino_cli.errors import ConfigError
from dolmino_cli.kernels.keyed_hash import derive_key, hash_strings
from dolmino_cli.shards.faults import OnError
from dolmino_cli.shards.reading import read_batches
from dolmino_cli.shards.rows import RowLayout
from dolmino_cli.shards.shard import Shard
from dolmino_cli.stages.document_field import plain_values_at, refuse
from dolmino_cli.stages.fasttext import Newlines, one_line

POSITIVE, NEGATIVE = "__label__positive", "__label__negative"
"""What a trained model calls its labels."""

_SIDES = ("training positive", "training negative", "held-out positive", "held-out negative")
# Labelled sets are often rows of a text and its label, without an id.
_ROWS = (RowLayout(text=("text",)),)
# A word that begins so would be taken for a label of its line. Scoring passes over such words.
_LABEL_WORD = re.compile(r"(?:^|(?<=[ \n\r\t\v\f\0]))__label__[^ \n\r\t\v\f\0]*")
_SHOWN_LABELS = 10


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Where a document's label stands and what it means. Numbers and booleans count as their JSON text."""

    field: str
    """Dotted path of the label; where a document has nothing there, below `metadata`."""

    positive: tuple[str, ...]
    """The labels of documents to find."""

    negative: tuple[str, ...] = ()
    """The labels of the others; none given: every label that is not positive."""

    def __post_init__(self) -> None:
        if not self.positive:
            raise ConfigError(f"no positive label: say which values of {self.field!r} mean a document to find: --positive math")
        both = sorted({*self.positive} & {*self.negative})
        if both:
            raise ConfigError(f"the labels {', '.join(both)} are both positive and negative; give each once")

    def meaning(self, value: str) -> bool | None:
        """True for a positive label, False for a negative one, None for one that is neither."""
        if value in self.positive:
            return True
        return False if not self.negative or value in self.negative else None


@dataclass(frozen=True, kw_only=True)
class LabelledShard:
    """A shard whose documents all have the label `label`; None: each says its own."""

    shard: Shard
    label: bool | None


@dataclass(kw_only=True)
class Counts:
    """What became of every record: in = used + repeated + contradicting + empty + unlabelled + unreadable."""

    records: int = 0
    used: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_SIDES, 0))
    repeated: int = 0
    """Texts that came before with the same label."""
    contradicting: int = 0
    """Texts that came before with the other label; the first one counts."""
    empty: int = 0
    unlabelled: int = 0
    """Without a label, or with one that is neither positive nor negative."""
    unreadable: int = 0

    def check(self) -> None:
        """That no record is lost."""
        rest = self.repeated + self.contradicting + self.empty + self.unlabelled + self.unreadable
        assert self.records == sum(self.used.values()) + rest, self


@dataclass(frozen=True, kw_only=True)
class Line:
    """A document as one line of text."""

    text: str
    positive: bool
    held_out: bool
    place: int
    """uint64 that orders the lines: a keyed hash of the seed and the text, so that labels and files are mixed."""


def labelled_lines(
    shards: Sequence[LabelledShard],
    labels: Labels | None,
    counts: Counts,
    *,
    newlines: Newlines,
    held_out_percent: float,
    seed: int,
    on_error: OnError,
) -> Iterator[Line]:
    """The documents of `shards` in order, each text once; counts go to `counts`.

    A text is held out by the keyed hash of (seed, the line), so that equal texts are always on one side, whatever the order or
    the files. 16 bytes of hash are kept per distinct text, some 120 bytes of memory.
    Raises DataError for an unreadable record or a label that is missing or unknown, unless `on_error` sets these aside; at
    the end ConfigError for a label of `labels` that no document has.
    """
    bound = int(held_out_percent / 100 * (1 << 64))
    keys = [derive_key(f"dolmino classifier {what}", seed) for what in ("held-out", "order")]
    seen: dict[bytes, bool] = {}
    labels_found: dict[str, None] = {}
    for one in shards:
        reading = read_batches(one.shard, on_error=on_error, records=one.label is None, rows=_ROWS)
        for batch, unreadable in reading:
            counts.records += len(batch) + len(unreadable)
            counts.unreadable += len(unreadable)
            column = pa.array([one_line(text, newlines) for text in batch.text.to_pylist()], pa.large_string())
            numbers, places = (hash_strings(column, key).tolist() for key in keys)
            meanings = _meanings(one, labels, batch, on_error, labels_found)
            for text, positive, number, place in zip(column.to_pylist(), meanings, numbers, places, strict=True):
                if positive is None:
                    counts.unlabelled += 1
                elif not text.strip():
                    counts.empty += 1
                elif _is_new(text, positive, seen, counts):
                    line = Line(text=text, positive=positive, held_out=number < bound, place=place)
                    counts.used[_side(line)] += 1
                    yield line
    counts.check()
    if labels is not None:
        _check_all_found(labels, labels_found)


def _check_all_found(labels: Labels, found: Mapping[str, None]) -> None:
    missing = [label for label in labels.positive + labels.negative if label not in found]
    if missing:
        shown = ", ".join(repr(label) for label in list(found)[:_SHOWN_LABELS]) or "none"
        raise ConfigError(f"no document has the label {missing[0]!r} at {labels.field!r}; labels there: {shown}")


def training_line(line: Line) -> bytes:
    """The line as fastText trains on it: its label, then its words but those that would be labels."""
    name = POSITIVE if line.positive else NEGATIVE
    return f"{name} {_LABEL_WORD.sub('', line.text)}\n".encode()


def _side(line: Line) -> str:
    return _SIDES[2 * line.held_out + (not line.positive)]


def _is_new(text: str, positive: bool, seen: dict[bytes, bool], counts: Counts) -> bool:
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    earlier = seen.get(digest)
    seen.setdefault(digest, positive)
    counts.repeated += earlier == positive
    counts.contradicting += earlier is not None and earlier != positive
    return earlier is None


def _meanings(
    one: LabelledShard, labels: Labels | None, batch: Batch, on_error: OnError, found: dict[str, None]
) -> Iterable[bool | None]:
    """What the label of every document means; None where that is not known and `on_error` allows it.

    The labels asked for that are there go to `found`, and a few others.
    """
    if one.label is not None:
        return [one.label] * len(batch)
    assert labels is not None, "documents that say their own label need to be asked for it"
    meanings: list[bool | None] = []
    for row, value in enumerate(_values(batch, labels.field)):
        meaning = None if value is None else labels.meaning(value)
        if value is not None and (len(found) < _SHOWN_LABELS or value in labels.positive + labels.negative):
            found[value] = None
        if meaning is None and on_error == "fail":
            known = ", ".join((labels.positive + labels.negative)[:_SHOWN_LABELS])
            given = f"no label at {labels.field!r}" if value is None else f"the label {value!r}, which is not one of {known}"
            refuse(f"it has {given}; label it, or set such documents aside with --error quarantine", row, batch)
        meanings.append(meaning)
    return meanings


def _values(batch: Batch, path: str) -> list[str | None]:
    """The label of every document as text, None where there is none."""
    found = plain_values_at(batch, path)
    if None in found:
        below = plain_values_at(batch, f"metadata.{path}")
        found = [value if value is not None else other for value, other in zip(found, below, strict=True)]
    return [value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode() for value in found]
