"""A document by its id: every place it has in a mix, found without reading the mix through.

A document's place follows from its id: the hash of (seed, source, copy, id) says which part it is in, and where among that
part's rising keys. And the hash of (seed, source, id), against the last one taken, says why it is not there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dolmino_cli.errors import DataError
from dolmino_cli.mix.keys import order_key, selection_key
from dolmino_cli.mix.sampling.gather import first_key, part_count
from dolmino_cli.mix.tracing.opened import OpenMix
from dolmino_cli.mix.tracing.places import TakenDocument, document_of_row
from dolmino_cli.siphash import siphash


@dataclass(frozen=True, kw_only=True)
class FoundId:
    """Where the documents of an id are. `absent` says for every source that has none in the mix what is known of it."""

    id: str
    documents: tuple[TakenDocument, ...]
    """By source in the manifest's order, then copy; several of one copy where the source has the id several times."""
    absent: dict[str, str]


def find_id(mix: OpenMix, id: str) -> FoundId:
    """Every document of the mix with this id, and why the sources without one have none.

    Raises DataError when a copy lacks a document that the lock says it holds.
    """
    found: list[TakenDocument] = []
    absent: dict[str, str] = {}
    for name in mix.sources:
        documents, why_not = _in_source(mix, name, id)
        found += documents
        if why_not is not None:
            absent[name] = why_not
    return FoundId(id=id, documents=tuple(found), absent=absent)


def _in_source(mix: OpenMix, source: str, id: str) -> tuple[list[TakenDocument], str | None]:
    """The documents of an id in all copies of a source, or why there are none."""
    locked, seed = mix.lock.sources[source], mix.lock.manifest.seed
    rank = siphash(id, selection_key(seed, source))
    last = -1 if locked.last_key is None else int(locked.last_key, 16)
    passes = locked.whole_passes
    if rank > last and not passes:
        percent, bound = 100 * rank / 2**64, 100 * (last + 1) / 2**64
        return [], (
            f"not taken, if the source has it: its selection hash lies at {percent:.3g} % of all hashes, and documents up to "
            f"{bound:.3g} % were taken; a Source % of about {percent:.3g} would take it"
        )
    copies = [_in_copy(mix, source, copy, id) for copy in range(passes + (rank <= last))]
    # A document whose hash is the last one taken may still be left out, where the source has that hash several times.
    certain = copies if rank != last else copies[:passes]
    if len({len(copy) for copy in certain}) > 1:
        counts = ", ".join(str(len(copy)) for copy in copies)
        problem = f"document {id!r} of {source} is {counts} times in the copies of the source, which all hold it whole"
        raise DataError(f"{problem}; sample the mix again", path=mix.root)
    documents = [document for copy in copies for document in copy]
    if documents:
        return documents, None
    if passes:
        return [], "not in the source: all of it is in the mix"
    return [], f"not in the source: its selection hash is below {locked.last_key}, the last one taken, so it would be in the mix"


def _in_copy(mix: OpenMix, source: str, copy: int, id: str) -> list[TakenDocument]:
    """The documents of an id in one copy of a source: their rows have the same key, so they stand side by side."""
    key = siphash(id, order_key(mix.lock.manifest.seed, source, copy))
    part = _part_of_key(mix, key)
    if part is None:
        return []
    keys = mix.keys(part)
    low, high = (int(np.searchsorted(keys, np.uint64(key), side=side)) for side in ("left", "right"))  # type: ignore[call-overload]
    if low == high:
        return []
    candidates = [document_of_row(mix, part, row) for row in range(low, high)]
    return [one for one in candidates if (one.source, one.copy, one.id) == (source, copy, id)]


def _part_of_key(mix: OpenMix, key: int) -> int | None:
    """Which of the mix's parts holds documents of this key; None for a part that was not written, as nothing fell into it."""
    count = part_count(sum(source.taken_tokens for source in mix.lock.sources.values()), mix.lock.tokens_per_file)
    number = (key >> 32) * count >> 32
    assert first_key(number, count) <= key < first_key(number + 1, count), f"key {key} is not of part {number} of {count}"
    names = {part.name: place for place, part in enumerate(mix.parts)}
    return names.get(f"part-{number:05d}.npy")
