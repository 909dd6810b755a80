"""How long a mix's documents are, in tokens and per source, out of its parts' provenance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dolmino_cli.errors import DataError
from dolmino_cli.mix.lock import Lock
from dolmino_cli.mix.provenance import provenance_name, read_provenance
from dolmino_cli.shards.storage import exists, join

_PER_OCTAVE = 8
_OCTAVES = 40


@dataclass(frozen=True, kw_only=True)
class TokenLengths:
    """Of one source's documents as they stand in the mix, end-of-text token included."""

    source: str
    documents: int
    tokens: int
    most: int
    median: int
    """To within a ninth part: lengths are counted in 8 bins an octave."""
    octaves: tuple[int, ...]
    """Documents of 1, 2-3, 4-7, ... tokens, up to the longest."""


def token_lengths(roots: Sequence[str], lock: Lock) -> tuple[TokenLengths, ...]:
    """A row per source; empty where no root of the mix has every part's provenance (a lock in git, without its arrays).

    Raises DataError where the provenance does not have the lock's documents and tokens.
    """
    assert lock.outputs is not None
    names_of_parts = [provenance_name(part.name) for part in lock.outputs]
    root = next((root for root in roots if all(exists(join(root, name)) for name in names_of_parts)), None)
    if root is None:
        return ()
    names = list(lock.manifest.sources)
    bins = np.zeros((len(names), _OCTAVES * _PER_OCTAVE), np.int64)
    tokens, most = np.zeros(len(names), np.int64), np.zeros(len(names), np.int64)
    for part in lock.outputs:
        documents = read_provenance(join(root, provenance_name(part.name)), part.documents_sha256)
        ends = documents.column("end").to_numpy()
        sources = documents.column("source").to_numpy()
        lengths = np.diff(ends, prepend=0)
        cells = sources.astype(np.int64) * bins.shape[1] + _bin_of(lengths)
        bins += np.bincount(cells, minlength=bins.size).reshape(bins.shape)
        tokens += np.bincount(sources, weights=lengths, minlength=len(names)).astype(np.int64)
        np.maximum.at(most, sources, lengths)
    found = []
    for number, name in enumerate(names):
        locked = lock.sources[name]
        if (int(bins[number].sum()), int(tokens[number])) != (locked.taken_documents, locked.taken_tokens):
            raise DataError(
                f"the provenance of {name!r} has {bins[number].sum():,} documents and {tokens[number]:,} tokens, the lock"
                f" {locked.taken_documents:,} and {locked.taken_tokens:,}; sample the mix again",
                path=root,
            )
        found.append(_described(name, bins[number], int(tokens[number]), int(most[number])))
    return tuple(found)


def _described(name: str, bins: npt.NDArray[np.int64], tokens: int, most: int) -> TokenLengths:
    documents = int(bins.sum())
    middle = int(np.searchsorted(np.cumsum(bins), (documents + 1) // 2)) if documents else 0
    octaves = bins.reshape(_OCTAVES, _PER_OCTAVE).sum(axis=1)
    return TokenLengths(
        source=name,
        documents=documents,
        tokens=tokens,
        most=most,
        median=int(2 ** (middle / _PER_OCTAVE)) if documents else 0,
        octaves=tuple(octaves[: max(1, int(most).bit_length())].tolist()),
    )


def _bin_of(lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """8 bins an octave: bin 8k begins at 2^k tokens."""
    return np.minimum((np.log2(np.maximum(lengths, 1)) * _PER_OCTAVE).astype(np.int64), _OCTAVES * _PER_OCTAVE - 1)
