"""Parts of a mix on a local or shared disk, memory-mapped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dolmino_cli.errors import DataError
from dolmino_cli.mix.for_training import MixForTraining
from dolmino_cli.mix.parts.unchanged import check_arrays
from dolmino_cli.mix.provenance import provenance_name, read_provenance
from dolmino_cli.mix.tracing.opened import OpenMix
from dolmino_cli.shards import storage
from dolmino_cli.shards.failures import storage_errors


@dataclass(frozen=True, kw_only=True)
class PartDocuments:
    """The documents of one part, as far as a trainer wants to know: where each ends, and of which source it is."""

    ends: npt.NDArray[np.int64]
    """Tokens from the part's beginning up to the document's end, its eos included; rising to the part's tokens."""
    sources: npt.NDArray[np.uint16]
    """0-based, in the order of the lock."""


class LocalParts:
    """Parts are numbered from 0 in the lock's order. All but `prepare` may be called by any thread, in any order.

    Everything raises DataError for a file that is not what the lock says, and StorageError.
    """

    def __init__(self, mix: MixForTraining) -> None:
        self._mix = mix
        self._opened = OpenMix(root=mix.root, lock=mix.lock, parts=mix.parts)
        self._tokens: dict[int, npt.NDArray[np.unsignedinteger]] = {}
        self._documents: dict[int, PartDocuments] = {}
        self._repeated: dict[int, npt.NDArray[np.bool_]] = {}

    def prepare(self, *, rank: int, world_size: int, say: Callable[[str], None]) -> None:
        """Make sure, before anything is trained on, that the arrays are the lock's: each rank of a run takes its share.

        Rank r reads arrays r, r + world_size, ..., so that all together read each once: of the one folder that all of them see.
        """
        check_arrays(self._mix, range(rank, len(self._mix.parts), world_size), say=say)

    def windows(self, places: Sequence[tuple[int, int]], length: int) -> Sequence[npt.NDArray[np.unsignedinteger]]:
        """The `length` ids at each place: (part, offset of its first token in the part). Views."""
        return [self._array(part)[start : start + length] for part, start in places]

    def documents(self, part: int) -> PartDocuments:
        """Its documents, once their sha256 is found to be the lock's; the columns stay mapped."""
        if part not in self._documents:
            self._documents[part] = self._read_documents(part)
        return self._documents[part]

    def repeated(self, part: int) -> npt.NDArray[np.bool_]:
        """For each of its windows of the lock's sequence length: does it repeat itself?"""
        if part not in self._repeated:
            self._repeated[part] = self._opened.repeated(part)
        return self._repeated[part]

    def _array(self, part: int) -> npt.NDArray[np.unsignedinteger]:
        if part not in self._tokens:
            path = self._mix.path(part)
            with storage_errors("read", path):
                # A map holds no file descriptor, of which a mix of thousands of parts would need too many.
                self._tokens[part] = np.memmap(path, self._mix.dtype, "r")
        return self._tokens[part]

    def _read_documents(self, part: int) -> PartDocuments:
        found = self._mix.parts[part]
        path = storage.join(self._mix.root, provenance_name(found.name))
        rows = read_provenance(path, found.documents_sha256)
        documents = PartDocuments(ends=rows.column("end").to_numpy(), sources=rows.column("source").to_numpy())
        last = int(documents.ends[-1]) if len(documents.ends) else 0
        if (len(documents.ends), last) != (found.documents, found.tokens):
            held = f"{len(documents.ends):,} documents of {last:,} tokens"
            raise DataError(
                f"holds {held}, the lock says {found.documents:,} of {found.tokens:,}; sample the mix again", path=path
            )
        return documents
