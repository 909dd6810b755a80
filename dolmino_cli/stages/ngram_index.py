"""The index of evaluation instances: one file, memory-mapped, so that all workers share one copy of it.

Layout: `DOLMIDX1`, the header's length (8 bytes, little-endian), the header (JSON), then the arrays it lists, little-endian,
each at a multiple of 64 bytes. The same instances in the same order give the same bytes. `dolmino decontaminate index` writes it.

It is exact: every distinct word and n-gram of the instances is stored and compared; a hash only says where to look. So there are
no false hits, unlike a Bloom filter's, whose number depends on its size and (in dolma) on random seeds.
"""

from __future__ import annotations

import json
import mmap
import struct
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import pyarrow as pa

from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.shards.storage import exists, fetch

Words = Literal["as_written", "normalised"]

_MAGIC = b"DOLMIDX1"
_ALIGNMENT_BYTES = 64
ARRAYS = {
    "word_slots": np.uint64,  # hash table of words, two entries a slot
    "word_offsets": np.int64,  # one more than words
    "word_bytes": np.uint8,
    "word_openings": np.uint64,  # bit k: an instance of k < n words begins with this word
    "words": np.uint32,  # of all instances, one after another
    "gram_slots": np.uint64,  # hash table of n-grams
    "gram_filter": np.uint64,  # a bit per hash, read before the table; a power of two of them
    "gram_at": np.uint32,  # first occurrence in `words`
    "gram_length": np.uint8,  # n, or the length of an instance that is shorter
    "gram_in_line": np.uint8,  # 1: stands on one line of some instance
    "holder_places": np.int64,  # one more than n-grams
    "holders": np.uint32,  # instances of every n-gram, ascending
    "instance_grams": np.uint32,  # distinct n-grams per instance; 0: too short to match
    "instance_length": np.uint8,  # words of its n-grams
    "id_offsets": np.int64,
    "id_bytes": np.uint8,
    "text_offsets": np.int64,
    "text_bytes": np.uint8,
}


@dataclass(frozen=True, kw_only=True)
class Task:
    """One split of an evaluation set, whose instances stand together in the index."""

    task: str
    split: str
    instances: int
    """How many there are in all."""
    whole: int
    """Of them, shorter than n words: matched as a whole, at word boundaries."""
    too_short: int
    """Of them, with fewer words than the floor: not matched."""


@dataclass(frozen=True, kw_only=True, eq=False)
class NgramIndex:
    """An index as `load_index` maps it. `arrays` are those of ARRAYS, read-only; `file_bytes` is what lies on disk."""

    path: Path
    n: int
    words: Words
    shortest: int
    unicode: str
    case: str
    files: tuple[dict[str, str], ...]
    tasks: tuple[Task, ...]
    arrays: Mapping[str, np.ndarray]
    file_bytes: int

    @property
    def instances(self) -> int:
        """Number of instances."""
        return len(self.arrays["instance_grams"])

    @property
    def matching_bytes(self) -> int:
        """What matching reads, shared by all workers: the file without the instances' ids and texts."""
        return sum(array.nbytes for name, array in self.arrays.items() if not name.startswith(("id_", "text_")))

    @property
    def worker_bytes(self) -> int:
        """What each worker needs for itself: three counters per instance."""
        return 12 * self.instances

    def instance_id(self, number: int) -> str:
        """The id of instance `number`."""
        return self._text("id", number)

    def instance_text(self, number: int) -> str:
        """The text of instance `number`, as it was indexed."""
        return self._text("text", number)

    def task_of(self, number: int) -> Task:
        """The task that instance `number` is of."""
        return self.tasks[bisect_right(self._task_ends, number)]

    def is_too_short(self, number: int) -> bool:
        """Whether instance `number` has too few words to be matched."""
        return bool(self.arrays["instance_grams"][number] == 0)

    def overlap(self, text: pa.LargeStringArray, *, stride: int) -> tuple[np.ndarray, np.ndarray]:
        """Shares (documents x 3, float64) and evidence (documents x 3 x 3, int64) of `kernels.ngram_overlap.measure_overlap`."""
        from dolmino_cli.buffers import text_buffers
        from dolmino_cli.kernels.ngram_overlap import measure_overlap
        from dolmino_cli.kernels.word_breaks import word_classes

        shares, evidence = np.empty((len(text), 3)), np.empty((len(text), 3, 3), np.int64)
        tables = word_classes(), self.folded
        measure_overlap(*text_buffers(text), *tables, *self._kernel_arrays, self.n, stride, *self._counters, shares, evidence)
        return shares, evidence

    @cached_property
    def folded(self) -> np.ndarray:
        """The table that normalises words; empty where they are taken as written."""
        from dolmino_cli.kernels.word_breaks import folded_characters

        nothing = np.empty(0, np.uint32)
        nothing.flags.writeable = False
        return folded_characters() if self.words == "normalised" else nothing

    @cached_property
    def _kernel_arrays(self) -> tuple[Any, ...]:
        a = self.arrays
        vocabulary = a["word_slots"].reshape(-1, 2), a["word_offsets"], a["word_bytes"]
        grams = a["gram_slots"], a["gram_filter"], a["gram_at"], a["gram_length"], a["gram_in_line"]
        holders = a["holder_places"], a["holders"]
        return vocabulary, grams, a["words"], a["word_openings"], holders, a["instance_grams"], a["instance_length"]

    @cached_property
    def _counters(self) -> tuple[np.ndarray, ...]:
        return tuple(np.zeros(self.instances, np.uint32) for _ in range(3))

    @cached_property
    def _task_ends(self) -> list[int]:
        ends: list[int] = np.cumsum([task.instances for task in self.tasks]).tolist()
        return ends

    def _text(self, what: str, number: int) -> str:
        start, end = self.arrays[f"{what}_offsets"][number : number + 2]
        return self.arrays[f"{what}_bytes"][start:end].tobytes().decode()


def write_index(
    out: BinaryIO,
    *,
    n: int,
    words: Words,
    shortest: int,
    unicode: str,
    case: str,
    files: tuple[dict[str, str], ...],
    tasks: tuple[Task, ...],
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Write what `load_index` reads: facts and arrays as in NgramIndex, to a stream that need not seek."""
    facts = {"n": n, "words": words, "shortest": shortest, "unicode": unicode, "case": case, "files": files}
    lengths = {name: len(arrays[name]) for name in ARRAYS}
    header = json.dumps({**facts, "tasks": [asdict(task) for task in tasks], "arrays": lengths}, ensure_ascii=False).encode()
    out.write(_MAGIC + struct.pack("<Q", len(header)) + header)
    at = len(_MAGIC) + 8 + len(header)
    for name, kind in ARRAYS.items():
        assert arrays[name].dtype == kind, f"{name} is {arrays[name].dtype}"
        out.write(bytes(-at % _ALIGNMENT_BYTES))
        out.write(np.ascontiguousarray(arrays[name]).astype(np.dtype(kind).newbyteorder("<"), copy=False).data)
        at += -at % _ALIGNMENT_BYTES + arrays[name].nbytes


@lru_cache(maxsize=4)
def load_index(path: str) -> NgramIndex:
    """The index at `path` (local, s3:// or hf://). Raises ConfigError where there is none or the file is no index."""
    if not exists(path):
        raise ConfigError(
            f"no evaluation index at {path}; make one with `dolmino decontaminate index EVALS... --output {path}`,"
            " or name another with --set SCORE.index=PATH"
        )
    local = fetch(path)
    try:
        with local.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return _parse(local, mapped)
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, struct.error):
        raise ConfigError(f"{path}: not a whole evaluation index; make it again with `dolmino decontaminate index`") from None


def _parse(path: Path, mapped: mmap.mmap) -> NgramIndex:
    if mapped[: len(_MAGIC)] != _MAGIC:
        raise ConfigError(
            f"{path}: not an evaluation index (its first bytes are {mapped[:8]!r}); see `dolmino decontaminate index`"
        )
    (size,) = struct.unpack_from("<Q", mapped, len(_MAGIC))
    at = len(_MAGIC) + 8
    header: dict[str, Any] = json.loads(mapped[at : at + size])
    at += size
    arrays = {}
    lengths = header.pop("arrays")
    for name, kind in ARRAYS.items():
        at += -at % _ALIGNMENT_BYTES
        arrays[name] = np.frombuffer(mapped, kind, lengths[name], at)
        at += arrays[name].nbytes
    if at != len(mapped):
        raise ValueError
    tasks = tuple(Task(**task) for task in header.pop("tasks"))
    return NgramIndex(path=path, **{**header, "files": tuple(header["files"])}, tasks=tasks, arrays=arrays, file_bytes=at)
