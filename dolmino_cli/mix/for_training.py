"""A sampled mix as a trainer takes it: what it is, and the tokens, documents and repeated windows of its parts."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dolmino_cli.errors import DataError
from dolmino_cli.mix.lock import Lock, MixPart
from dolmino_cli.mix.provenance import provenance_name, read_provenance
from dolmino_cli.mix.tracing.opened import OpenMix
from dolmino_cli.mix.tracing.opened import open_mix as open_sampled
from dolmino_cli.mix.windows import repeated_name, windows_of
from dolmino_cli.shards import storage
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.shard import Shard
from dolmino_cli.tokens.arrays import TokenizerRecord, numpy_dtype


@dataclass(frozen=True, kw_only=True)
class PartDocuments:
    """The documents of one part, as far as a trainer wants to know: where each ends, and of which source it is."""

    ends: npt.NDArray[np.int64]
    """Tokens from the part's beginning up to the document's end, its eos included; rising to the part's tokens."""
    sources: npt.NDArray[np.uint16]
    """0-based, in the order of the lock."""


class Parts(Protocol):
    """The parts of a mix, wherever they are; `part` is 0-based in the lock's order. All raise DataError, StorageError."""

    def tokens(self, part: int, start: int, stop: int) -> npt.NDArray[np.unsignedinteger]:
        """The ids of a part's tokens `start` up to before `stop`."""

    def documents(self, part: int) -> PartDocuments:
        """Its documents, once their sha256 is found to be the lock's."""

    def repeated(self, part: int) -> npt.NDArray[np.bool_]:
        """For each of its windows of the lock's sequence length: does it repeat itself?"""


@dataclass(frozen=True, kw_only=True)
class MixForTraining:
    """A mix that `dolmino sample` finished and whose files are all there, in the sizes that the lock says. Made by `open_mix`."""

    root: str
    lock: Lock
    parts: tuple[MixPart, ...]
    files: Mapping[str, Shard]
    """What is stored, by name, as it was when the mix was opened: every array, its documents, its repeated windows."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Names, in the order in which tokens are numbered by source."""
        return tuple(self.lock.manifest.sources)

    @property
    def tokenizer(self) -> TokenizerRecord:
        """What the ids mean."""
        return self.lock.tokenizer

    @property
    def eos_id(self) -> int:
        """What every document ends with."""
        return self.lock.tokenizer.eos_id

    @property
    def vocabulary_size(self) -> int:
        """The tokenizer's largest id + 1; a model may have more rows."""
        return self.lock.tokenizer.vocabulary_size

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """Of an id in the arrays."""
        return numpy_dtype("uint16" if self.lock.dtype == "uint16" else "uint32")

    @property
    def tokens(self) -> int:
        """Of all parts; those that fill no window are never trained on."""
        return sum(part.tokens for part in self.parts)

    def windows(self, sequence_length: int) -> int:
        """How many windows of so many tokens the mix has."""
        return int(windows_of([part.tokens for part in self.parts], sequence_length).sum())

    @functools.cached_property
    def identity(self) -> dict[str, str]:
        """What a checkpoint remembers the mix by: equal for equal bytes, wherever they lie."""
        digest = hashlib.sha256()
        for part in self.parts:
            digest.update(f"{part.sha256} {part.documents_sha256} {part.repeated_sha256}\n".encode())
        arrays = self.lock.arrays_json_sha256 or ""
        return {"mix": self.lock.manifest.name, "arrays_json_sha256": arrays, "parts_sha256": digest.hexdigest()}

    def path(self, part: int) -> str:
        """Where a part's array is."""
        return storage.join(self.root, self.parts[part].name)


def open_mix(path: str) -> MixForTraining:
    """The mix in a folder or under an s3:// prefix, or the one whose lock `path` is.

    Raises ConfigError where no finished mix is; DataError where its lock is damaged, or a file that a trainer reads is missing
    or of another size than the lock says. Contents are looked at later (`Parts`, `verify`).
    """
    opened = open_sampled(path)
    listed = {shard.name: shard for shard in storage.walk(opened.root)}
    files, problems = {}, []
    for part in opened.parts:
        wanted = {part.name: part.bytes, provenance_name(part.name): None, repeated_name(part.name): -(-part.windows // 8)}
        for name, size in wanted.items():
            shard = listed.get(name)
            if shard is None:
                problems.append((name, "is missing"))
            elif size is not None and shard.bytes != size:
                problems.append((name, f"has {shard.bytes:,} bytes, the lock says {size:,}"))
            else:
                files[name] = shard
    if problems:
        name, what = problems[0]
        more = f" (and {len(problems) - 1:,} more files differ)" if len(problems) > 1 else ""
        advice = "; restore it, or sample the mix again (`dolmino mix verify` lists all)"
        raise DataError(f"{what}{more}{advice}", path=storage.join(opened.root, name))
    return MixForTraining(root=opened.root, lock=opened.lock, parts=opened.parts, files=files)


class LocalParts:
    """Parts on a local or shared disk, memory-mapped."""

    def __init__(self, mix: MixForTraining) -> None:
        self._mix = mix
        self._opened = OpenMix(root=mix.root, lock=mix.lock, parts=mix.parts)
        self._tokens: dict[int, npt.NDArray[np.unsignedinteger]] = {}
        self._documents: dict[int, PartDocuments] = {}

    def tokens(self, part: int, start: int, stop: int) -> npt.NDArray[np.unsignedinteger]:
        """As `Parts.tokens`; a view."""
        if part not in self._tokens:
            path = self._mix.path(part)
            with storage_errors("read", path):
                # A map holds no file descriptor, of which a mix of thousands of parts would need too many.
                self._tokens[part] = np.memmap(path, self._mix.dtype, "r")
        return self._tokens[part][start:stop]

    def documents(self, part: int) -> PartDocuments:
        """As `Parts.documents`; the columns stay mapped."""
        if part not in self._documents:
            self._documents[part] = read_documents(self._mix, part)
        return self._documents[part]

    def repeated(self, part: int) -> npt.NDArray[np.bool_]:
        """As `Parts.repeated`."""
        return self._opened.repeated(part)


def read_documents(mix: MixForTraining, part: int) -> PartDocuments:
    """The documents of a part from where the mix is, read through and checked. Raises DataError, StorageError."""
    found = mix.parts[part]
    path = storage.join(mix.root, provenance_name(found.name))
    rows = read_provenance(path, found.documents_sha256)
    documents = PartDocuments(ends=rows.column("end").to_numpy(), sources=rows.column("source").to_numpy())
    last = int(documents.ends[-1]) if len(documents.ends) else 0
    if (len(documents.ends), last) != (found.documents, found.tokens):
        held = f"{len(documents.ends):,} documents of {last:,} tokens"
        raise DataError(f"holds {held}, the lock says {found.documents:,} of {found.tokens:,}; sample the mix again", path=path)
    return documents
