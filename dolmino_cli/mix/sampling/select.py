"""Which documents of a source a mix takes: whole passes, then those with the smallest keyed hash of their id.

Documents are ranked by (hash of (seed, source, id), file, row); the partial pass takes them in that order and stops at the
first that reaches or passes the target, so it overshoots by less than one document. The ranking knows neither target nor
sharding nor workers: a smaller share is a subset of a larger one. (File and row only part documents of equal id.)

Memory stays bounded without sorting a source: tokens are summed per hash prefix, which finds the one prefix in which the
target is reached; only that prefix's documents (1 in 65,536) are sorted.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

PREFIX_BITS = 16
PREFIXES = 1 << PREFIX_BITS
_SHIFT = np.uint64(64 - PREFIX_BITS)


@dataclass(frozen=True, kw_only=True, order=True)
class Rank:
    """A document's place in the order in which documents are taken; compares as (key, file, row)."""

    key: int
    """Its 64-bit hash."""
    file: int
    """Which file of the source, 0-based in the order of arrays.json."""
    row: int
    """Which document of that file, 0-based."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is taken of one source: every document `passes` times, and once more those up to and including `last`."""

    passes: int
    last: Rank | None
    documents: int
    """Taken in all, each copy counted."""
    tokens: int

    def copies_of(self, keys: np.ndarray, *, files: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
        """For each copy of the mix, a mask over documents of the source: are they in it? Full passes come first.

        `keys` (uint64) are the documents' hashes, `files` and `rows` (int64) where each stands.
        """
        copies = [np.ones(len(keys), np.bool_)] * self.passes
        if self.last is not None:
            taken = keys < np.uint64(self.last.key)
            ties = np.flatnonzero(keys == np.uint64(self.last.key))
            before = (files[ties] == self.last.file) & (rows[ties] <= self.last.row)
            taken[ties] = (files[ties] < self.last.file) | before
            copies.append(taken)
        return copies


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Tokens and documents per hash prefix; adds up over batches, files and workers."""

    tokens: np.ndarray = field(default_factory=lambda: np.zeros(PREFIXES, np.int64))
    documents: np.ndarray = field(default_factory=lambda: np.zeros(PREFIXES, np.int64))

    def add_documents(self, keys: np.ndarray, lengths: np.ndarray) -> None:
        """Count documents of hash `keys` (uint64) and `lengths` (int64, tokens)."""
        prefixes = prefixes_of(keys)
        np.add.at(self.tokens, prefixes, lengths)
        np.add.at(self.documents, prefixes, 1)

    def add(self, other: Histogram) -> None:
        """Count what `other` counted."""
        self.tokens[:] += other.tokens
        self.documents[:] += other.documents

    def __reduce__(self) -> tuple[Callable[..., Histogram], tuple[tuple[str, bytes], tuple[str, bytes]]]:
        """Pickled, a megabyte becomes a tenth of that: a mix has thousands of files, whose counts pass between processes."""
        return _unpacked, (_packed(self.tokens), _packed(self.documents))


def _packed(counts: np.ndarray) -> tuple[str, bytes]:
    narrow = counts.astype(np.min_scalar_type(int(counts.max())))
    return narrow.dtype.str, zlib.compress(narrow.tobytes())


def _unpacked(tokens: tuple[str, bytes], documents: tuple[str, bytes]) -> Histogram:
    # Not by np.load: results are unpickled in threads, and `ast`, by which it reads headers, fails in two at once (Python 3.11).
    counts = (np.frombuffer(zlib.decompress(packed), dtype).astype(np.int64) for dtype, packed in (tokens, documents))
    return Histogram(tokens=next(counts), documents=next(counts))


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """The hash prefix in which a partial pass reaches its target, and what the prefixes below it hold."""

    prefix: int
    tokens_below: int
    documents_below: int


@dataclass(frozen=True, kw_only=True)
class BoundaryDocuments:
    """The documents of one file whose hash has the boundary's prefix."""

    file: int
    keys: np.ndarray
    rows: np.ndarray
    lengths: np.ndarray


def whole_passes(target_tokens: int, available_tokens: int) -> tuple[int, int]:
    """(passes over the whole source, tokens left for a partial pass)."""
    return divmod(target_tokens, available_tokens)


def find_boundary(histogram: Histogram, wanted_tokens: int) -> Boundary:
    """Where documents taken in hash order reach `wanted_tokens` (more than 0, at most what the histogram holds)."""
    reached = np.cumsum(histogram.tokens)
    prefix = int(np.searchsorted(reached, wanted_tokens))  # the first prefix with reached >= wanted
    assert prefix < len(reached), f"{wanted_tokens} tokens wanted of {int(reached[-1])}"
    return Boundary(
        prefix=prefix,
        tokens_below=int(reached[prefix]) - int(histogram.tokens[prefix]),
        documents_below=int(histogram.documents[:prefix].sum()),
    )


def in_boundary(keys: np.ndarray, boundary: Boundary) -> np.ndarray:
    """Positions of the `keys` that have the boundary's prefix."""
    return np.flatnonzero(prefixes_of(keys) == boundary.prefix)


def prefixes_of(keys: np.ndarray) -> np.ndarray:
    """The first PREFIX_BITS bits of each hash, int64."""
    return (keys >> _SHIFT).astype(np.int64)


def find_last(boundary: Boundary, parts: Iterable[BoundaryDocuments], wanted_tokens: int) -> tuple[Rank, int, int]:
    """(the last document taken, documents taken, tokens taken) of a partial pass; `parts` in any order."""
    ordered = sorted(parts, key=lambda part: part.file)
    keys = np.concatenate([part.keys for part in ordered])
    files = np.concatenate([np.full(len(part.keys), part.file, np.int64) for part in ordered])
    rows = np.concatenate([part.rows for part in ordered])
    lengths = np.concatenate([part.lengths for part in ordered])
    order = np.lexsort((rows, files, keys))
    reached = boundary.tokens_below + np.cumsum(lengths[order])
    position = int(np.searchsorted(reached, wanted_tokens))
    place = order[position]
    last = Rank(key=int(keys[place]), file=int(files[place]), row=int(rows[place]))
    return last, boundary.documents_below + position + 1, int(reached[position])
