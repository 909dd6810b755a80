"""What an index finds of its own instances, planted in text that holds nothing else; and what it finds in text that is clean."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from dolmino_cli.executors.attempt import attempt_all
from dolmino_cli.executors.executor import Executor, Phase
from dolmino_cli.executors.local import Local
from dolmino_cli.shards.listing import Shard
from dolmino_cli.shards.reading import read_batches
from dolmino_cli.sources.evaluation_index import lettered_words
from dolmino_cli.stages.ngram_index import NgramIndex, load_index
from dolmino_cli.stages.ngram_overlap import RULES

# What filters/flan.yaml drops at: its profile `paper` by either of the first and the last, its profile `ai2` by the second.
BOUNDS: Mapping[str, float] = {"paper": 0.1, "ai2": 0.1, "instance": 1.0}
DEFAULT = "default"  # the rule of filters/flan.yaml: `paper` or `instance`
COLUMNS = (*RULES, DEFAULT)

LENGTHS = (1, 3, 5, 8, 13, 25, 50)  # least words, with a letter or number each, of a class of lengths
# What a worker imports before it is forked, so that no worker pays for it.
PRELOAD = ("dolmino_cli.sources.planted",)

_LONG_WORDS = 5000
_SHORT_WORDS = 100
_BATCH_DOCUMENTS = 256


@dataclass(frozen=True, kw_only=True)
class Recall:
    """Of `planted` instances of some length, in one form: how many each rule finds."""

    form: str
    least_words: int
    planted: int
    found: Mapping[str, int]


@dataclass(kw_only=True)
class Clean:
    """Of documents taken to be clean: how many each rule flags, and which instances the default rule named most."""

    documents: int = 0
    flagged: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COLUMNS, 0))
    named: dict[int, int] = field(default_factory=dict)

    def add(self, other: Clean) -> None:
        """Count what `other` counted."""
        self.documents += other.documents
        for rule, count in other.flagged.items():
            self.flagged[rule] += count
        for number, count in other.named.items():
            self.named[number] = self.named.get(number, 0) + count


def sample(index: NgramIndex, *, per_length: int) -> dict[int, list[int]]:
    """Numbers of instances by class of length (its least words), evenly spaced, at most `per_length` of each."""
    classes: dict[int, list[int]] = {least: [] for least in LENGTHS}
    counts = lettered_words((index.instance_text(number) for number in range(index.instances)), index.words)
    for number, words in enumerate(counts.tolist()):
        if words:
            classes[max(least for least in LENGTHS if least <= words)].append(number)
    return {
        least: [numbers[i * len(numbers) // per_length] for i in range(per_length)] if len(numbers) > per_length else numbers
        for least, numbers in classes.items()
    }


def measure_recall(index: NgramIndex, *, per_length: int = 200) -> Iterator[Recall]:
    """Plant a sample of the instances in every form, and look for them."""
    chosen = sample(index, per_length=per_length)
    for form, change in FORMS.items():
        for least, numbers in chosen.items():
            if not numbers:
                continue
            found = dict.fromkeys(COLUMNS, 0)
            for first in range(0, len(numbers), _BATCH_DOCUMENTS):
                texts = [change(index.instance_text(number)) for number in numbers[first : first + _BATCH_DOCUMENTS]]
                for rule, flags in flag(index, pa.array(texts, pa.large_string())).items():
                    found[rule] += int(flags.sum())
            yield Recall(form=form, least_words=least, planted=len(numbers), found=found)


@dataclass(frozen=True, kw_only=True)
class _CleanTask:
    index: str
    shard: Shard


def measure_clean(index: NgramIndex, shards: Sequence[Shard], executor: Executor | None = None) -> Clean:
    """Look for instances in documents that should have none; the same from any executor (default: this process)."""
    todo = [_CleanTask(index=str(index.path), shard=shard) for shard in shards]
    phase = Phase(name="clean", name_of=lambda task: task.shard.name)
    found = {
        task.shard.path: clean
        for task, clean in attempt_all(executor or Local(), _measure_shard, todo, phase=phase, what="shards", preload=PRELOAD)
    }
    clean = Clean()
    for shard in shards:
        clean.add(found[shard.path])
    return clean


def _measure_shard(task: _CleanTask) -> Clean:
    index, clean = load_index(task.index), Clean()
    for batch, _ in read_batches(task.shard):
        shares, evidence = index.overlap(batch.text, stride=1)
        clean.documents += len(batch)
        flags = _flags(shares)
        for rule in COLUMNS:
            clean.flagged[rule] += int(flags[rule].sum())
        for row in np.flatnonzero(flags[DEFAULT]):
            column = RULES.index("paper") if flags["paper"][row] else RULES.index("instance")
            number = int(evidence[row, column, 0])
            clean.named[number] = clean.named.get(number, 0) + 1
    return clean


def missed(recalls: Sequence[Recall]) -> int:
    """Instances of three words or more, planted verbatim, that the default rule did not find."""
    verbatim = [recall for recall in recalls if recall.form in VERBATIM and recall.least_words >= 3]
    return sum(recall.planted - recall.found[DEFAULT] for recall in verbatim)


def flag(index: NgramIndex, text: pa.LargeStringArray) -> dict[str, np.ndarray]:
    """Per rule of COLUMNS, which documents it flags."""
    return _flags(index.overlap(text, stride=1)[0])


def _flags(shares: np.ndarray) -> dict[str, np.ndarray]:
    flags: dict[str, np.ndarray] = {rule: shares[:, column] >= BOUNDS[rule] for column, rule in enumerate(RULES)}
    return {**flags, DEFAULT: flags["paper"] | flags["instance"]}


def _filler(words: int) -> str:
    """Words that stand in no instance, ten a line."""
    made = [f"qv{number % 97}xj{number * 7 % 89}zk" for number in range(words)]
    return "\n".join(" ".join(made[first : first + 10]) for first in range(0, words, 10))


def _inside(words: int, change: Callable[[str], str] = lambda text: text) -> Callable[[str], str]:
    around = _filler(words // 2)
    return lambda text: f"{around}\n{change(text)}\n{around}"


def _without_punctuation(text: str) -> str:
    return "".join(" " if unicodedata.category(character)[0] == "P" else character for character in text)


# How an instance is planted: name -> the document made of it.
FORMS: dict[str, Callable[[str], str]] = {
    "alone": lambda text: text,
    f"in {_SHORT_WORDS} words": _inside(_SHORT_WORDS),
    f"in {_LONG_WORDS:,} words": _inside(_LONG_WORDS),
    f"upper case, in {_SHORT_WORDS} words": _inside(_SHORT_WORDS, str.upper),
    f"lower case, in {_SHORT_WORDS} words": _inside(_SHORT_WORDS, str.lower),
    f"no punctuation, in {_SHORT_WORDS} words": _inside(_SHORT_WORDS, _without_punctuation),
}
VERBATIM = tuple(FORMS)[:3]
