"""A sampled mix as a trainer takes it: what it is, and which of its files it reads (`parts` does the reading)."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dolmino_cli.errors import DataError
from dolmino_cli.mix.lock import Lock, MixPart
from dolmino_cli.mix.provenance import provenance_name
from dolmino_cli.mix.tracing.opened import open_mix as open_sampled
from dolmino_cli.mix.windows import repeated_name, windows_of
from dolmino_cli.shards import storage
from dolmino_cli.shards.shard import Shard
from dolmino_cli.tokens.arrays import TokenizerRecord, numpy_dtype


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
    or of another size than the lock says. Contents are looked at later (`parts.unchanged`).
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
