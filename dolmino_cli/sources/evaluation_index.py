"""Evaluation instances -> the index that `ngram_overlap` searches."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa

from dolmino_cli.buffers import text_buffers
from dolmino_cli.errors import ConfigError
from dolmino_cli.kernels.ngram_table import (
    LONGEST_NGRAM,
    fill_gram_slots,
    fill_word_slots,
    intern_words,
    list_holders,
    number_grams,
)
from dolmino_cli.kernels.word_breaks import UNICODE_VERSION, folded_characters, word_classes
from dolmino_cli.shards.storage import Output, read_bytes
from dolmino_cli.sources.evaluation_sets import EvaluationSet, Instance, files_of, instances_of
from dolmino_cli.stages.ngram_index import NgramIndex, Task, Words, load_index, write_index

_BATCH_INSTANCES = 4096
_FILTER_BITS_PER_GRAM = 8
_MOST_WORDS = (1 << 32) - 1


@dataclass(frozen=True, kw_only=True)
class IndexOptions:
    """What an n-gram is. `shortest`: words with a letter or number that an instance needs to be matched at all."""

    n: int = 8
    words: Words = "as_written"
    shortest: int = 3

    def __post_init__(self) -> None:
        if not 2 <= self.n <= LONGEST_NGRAM:
            raise ConfigError(f"n-grams of {self.n} words; allowed: 2 to {LONGEST_NGRAM}")
        if self.shortest < 1:
            raise ConfigError(f"instances of at least {self.shortest} words; allowed: 1 or more")


def build_index(sets: Sequence[EvaluationSet], output: str, options: IndexOptions) -> NgramIndex:
    """Index all instances of `sets` and write the index as the file `output` (local or s3://).

    Everything is held in memory: some 60 bytes per word of the instances while building. Raises ConfigError, DataError,
    StorageError.
    """
    files, groups = _read(sets)
    instances = [instance for group in groups.values() for instance in group]
    arrays = _arrays(instances, options)
    folder, _, name = output.rpartition("/")
    if not name:
        raise ConfigError(f"--output {output!r} is a folder; name the file to write, such as {output}evals.index")
    with Output(folder or ("/" if output.startswith("/") else ".")).create(name) as pending:
        write_index(
            pending,  # type: ignore[arg-type]
            n=options.n,
            words=options.words,
            shortest=options.shortest,
            unicode=UNICODE_VERSION,
            case=unicodedata.unidata_version if options.words == "normalised" else "",
            files=tuple(files),
            tasks=_tasks(groups, arrays, options.n),
            arrays=arrays,
        )
        pending.publish()
    load_index.cache_clear()
    return load_index(output)


def lettered_words(texts: Iterable[str], words: Words) -> np.ndarray:
    """Per text its words with a letter or number (int64), which `shortest` is measured in."""
    instances = [Instance(task="", split="", id="", text=text) for text in texts]
    counts: np.ndarray = _number_words(instances, IndexOptions(words=words))[3][:, 1]
    return counts


def _read(sets: Sequence[EvaluationSet]) -> tuple[list[dict[str, str]], dict[tuple[str, str], list[Instance]]]:
    """Name and sha256 of every file read; the instances by task and split, in the order of first appearance."""
    files: list[dict[str, str]] = []
    groups: dict[tuple[str, str], list[Instance]] = {}
    for evaluation in sets:
        for path in files_of(evaluation):
            for instance in instances_of(evaluation, path):
                groups.setdefault((instance.task, instance.split), []).append(instance)
            name = PurePosixPath(path).name if "://" in path else Path(path).name
            files.append({"name": name, "sha256": hashlib.sha256(read_bytes(path)).hexdigest()})
    return files, groups


def _tasks(groups: dict[tuple[str, str], list[Instance]], arrays: dict[str, np.ndarray], n: int) -> tuple[Task, ...]:
    tasks, first = [], 0
    for (task, split), instances in groups.items():
        own = slice(first, first + len(instances))
        grams, length = arrays["instance_grams"][own], arrays["instance_length"][own]
        whole = int(((grams > 0) & (length < n)).sum())
        tasks.append(Task(task=task, split=split, instances=len(instances), whole=whole, too_short=int((grams == 0).sum())))
        first += len(instances)
    return tuple(tasks)


@dataclass(kw_only=True)
class _Vocabulary:
    """Words by number; arrays have room to grow, `known` and `used_bytes` say how much of them is taken."""

    slots: np.ndarray = field(default_factory=lambda: np.zeros((1 << 16, 2), np.uint64))
    offsets: np.ndarray = field(default_factory=lambda: np.zeros(1 << 15, np.int64))
    held: np.ndarray = field(default_factory=lambda: np.empty(1 << 18, np.uint8))
    known: int = 0

    def make_room(self, more_bytes: int) -> None:
        """For as many new words as bytes, each folded to at most twice its bytes."""
        self.offsets = _grown(self.offsets, self.known + more_bytes + 1)
        self.held = _grown(self.held, int(self.offsets[self.known]) + 2 * more_bytes)
        size = _power_of_two(2 * (self.known + more_bytes))
        if size > len(self.slots):
            self.slots = np.zeros((size, 2), np.uint64)
            fill_word_slots(self.slots, _read_only(self.offsets), _read_only(self.held), self.known)

    def arrays(self) -> dict[str, np.ndarray]:
        """The vocabulary as the index keeps it, in tables of the smallest size."""
        offsets, slots = self.offsets[: self.known + 1].copy(), np.zeros((_power_of_two(2 * self.known), 2), np.uint64)
        held = self.held[: offsets[-1]].copy()
        fill_word_slots(slots, _read_only(offsets), _read_only(held), self.known)
        return {"word_slots": slots.ravel(), "word_offsets": offsets, "word_bytes": held}


def _arrays(instances: Sequence[Instance], options: IndexOptions) -> dict[str, np.ndarray]:
    """Every array of the index."""
    vocabulary, words, opens_line, counts = _number_words(instances, options)
    total = int(counts[:, 0].sum())
    if total > _MOST_WORDS:
        raise ConfigError(f"{total:,} words of instances; an index holds {_MOST_WORDS:,}: make two and filter with both")
    ends = np.cumsum(counts[:, 0])
    bounds = np.stack([ends - counts[:, 0], ends], axis=1)
    too_short = (counts[:, 0] < options.n) & (counts[:, 1] < options.shortest)
    bounds[too_short, 1] = bounds[too_short, 0]
    lengths = bounds[:, 1] - bounds[:, 0]
    grams = _number_grams(words, opens_line, bounds.ravel(), options.n)
    short = (lengths > 0) & (lengths < options.n)
    openings = np.zeros(vocabulary.known, np.uint64)
    np.bitwise_or.at(openings, words[bounds[short, 0]], np.uint64(1) << lengths[short].astype(np.uint64))
    ids, texts = (_texts(values) for values in ([i.id for i in instances], [i.text for i in instances]))
    return {
        **vocabulary.arrays(),
        "word_openings": openings,
        "words": words,
        **grams,
        "instance_length": np.minimum(lengths, options.n).astype(np.uint8),
        **{"id_offsets": ids[1], "id_bytes": ids[0], "text_offsets": texts[1], "text_bytes": texts[0]},
    }


def _number_words(instances: Sequence[Instance], options: IndexOptions) -> tuple[_Vocabulary, np.ndarray, np.ndarray, np.ndarray]:
    """The vocabulary; all words by number; which of them open a line; per instance all words and those with letters."""
    folded = folded_characters() if options.words == "normalised" else _read_only(np.empty(0, np.uint32))
    vocabulary, words, opens_line, counts = _Vocabulary(), [], [], []
    for batch in _batched(instances):
        data, offsets = text_buffers(pa.array([instance.text for instance in batch], pa.large_string()))
        room = int(offsets[-1] - offsets[0])
        vocabulary.make_room(room)
        numbers, opens = np.empty(room, np.uint32), np.empty(room, np.uint8)
        count = np.zeros((len(batch), 2), np.int64)
        store = vocabulary.slots, vocabulary.offsets, vocabulary.held, vocabulary.known
        vocabulary.known = intern_words(data, offsets, word_classes(), folded, *store, numbers, opens, count)
        filled = int(count[:, 0].sum())
        words.append(numbers[:filled].copy())
        opens_line.append(opens[:filled].copy())
        counts.append(count)
    return vocabulary, np.concatenate(words), np.concatenate(opens_line), np.concatenate(counts)


def _number_grams(words: np.ndarray, opens_line: np.ndarray, bounds: np.ndarray, n: int) -> dict[str, np.ndarray]:
    lengths = bounds[1::2] - bounds[::2]
    most = int(np.where(lengths > 0, np.maximum(lengths - n, 0) + 1, 0).sum())
    slots = np.zeros(_power_of_two(2 * most), np.uint64)
    gram_at, gram_length, in_line = np.zeros(most, np.uint32), np.zeros(most, np.uint8), np.zeros(most, np.uint8)
    holder_counts, instance_grams = np.zeros(most, np.uint32), np.zeros(len(lengths), np.uint32)
    fixed = _read_only(words), _read_only(opens_line), _read_only(bounds)
    count = number_grams(*fixed, n, slots, gram_at, gram_length, in_line, holder_counts, instance_grams)
    gram_at, gram_length = gram_at[:count].copy(), gram_length[:count].copy()
    places = np.concatenate([np.zeros(1, np.int64), np.cumsum(holder_counts[:count], dtype=np.int64)])
    holders = np.empty(int(places[-1]), np.uint32)
    list_holders(fixed[0], fixed[2], n, slots, gram_at, gram_length, places[:-1].copy(), holders)
    slots = np.zeros(_power_of_two(2 * count), np.uint64)
    filter_bits = np.zeros(_power_of_two(_FILTER_BITS_PER_GRAM * count // 64), np.uint64)
    fill_gram_slots(slots, filter_bits, fixed[0], _read_only(gram_at), _read_only(gram_length))
    return {
        "gram_slots": slots,
        "gram_filter": filter_bits,
        "gram_at": gram_at,
        "gram_length": gram_length,
        "gram_in_line": in_line[:count].copy(),
        "holder_places": places,
        "holders": holders,
        "instance_grams": instance_grams,
    }


def _batched(instances: Sequence[Instance]) -> Iterable[Sequence[Instance]]:
    return (instances[first : first + _BATCH_INSTANCES] for first in range(0, len(instances), _BATCH_INSTANCES))


def _texts(values: list[str]) -> tuple[np.ndarray, np.ndarray]:
    data, offsets = text_buffers(pa.array(values, pa.large_string()))
    return data[offsets[0] : offsets[-1]], offsets - offsets[0]


def _power_of_two(least: int) -> int:
    return 1 << max(4, (least - 1).bit_length())


def _grown(array: np.ndarray, least: int) -> np.ndarray:
    if least <= len(array):
        return array
    larger = np.zeros(max(least, 2 * len(array)), array.dtype)
    larger[: len(array)] = array
    return larger


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view
