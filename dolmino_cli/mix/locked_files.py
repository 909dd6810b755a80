"""The files that a lock names, with what it says of each: inputs where the arrays are, outputs in the mix's folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dolmino_cli.mix.lock import Lock
from dolmino_cli.mix.provenance import provenance_name
from dolmino_cli.mix.windows import repeated_name
from dolmino_cli.shards import storage
from dolmino_cli.tokens.arrays import NAME


@dataclass(frozen=True, kw_only=True)
class LockedFile:
    """One file. `bytes` is None where a lock does not say: of rows, documents and arrays.json it keeps the sha256 only."""

    of: str
    """For people: `input of web`, `output`."""
    root: str
    name: str
    bytes: int | None
    sha256: str

    @property
    def path(self) -> str:
        """Where it is to be."""
        return storage.join(self.root, self.name)


def input_roots(lock: Lock, arrays_root: str | None) -> dict[str, str]:
    """Per source the folder of its arrays: `<arrays_root>/<source>` where some are, else where the lock found them."""
    roots = {}
    for name, source in lock.sources.items():
        beside = storage.join(arrays_root, name) if arrays_root is not None else None
        names = [NAME, *(file.name for file in source.files[:1])]
        held = beside is not None and any(storage.exists(storage.join(beside, file)) for file in names)
        roots[name] = beside if beside is not None and held else source.arrays
    return roots


def locked_inputs(lock: Lock, roots: Mapping[str, str]) -> Iterator[LockedFile]:
    """arrays.json, arrays and rows of every source."""
    for name, source in lock.sources.items():
        of, root = f"input of {name}", roots[name]
        yield LockedFile(of=of, root=root, name=NAME, bytes=None, sha256=source.arrays_json_sha256)
        for file in source.files:
            yield LockedFile(of=of, root=root, name=file.name, bytes=file.bytes, sha256=file.sha256)
            yield LockedFile(of=of, root=root, name=file.index_name, bytes=None, sha256=file.index_sha256)


def locked_outputs(lock: Lock, mix: str) -> Iterator[LockedFile]:
    """arrays.json and the four files of every part of a sampled mix."""
    assert lock.outputs is not None and lock.arrays_json_sha256 is not None, "a lock of nothing sampled names no outputs"
    yield LockedFile(of="output", root=mix, name=NAME, bytes=None, sha256=lock.arrays_json_sha256)
    for part in lock.outputs:
        documents, repeated = provenance_name(part.name), repeated_name(part.name)
        yield LockedFile(of="output", root=mix, name=part.name, bytes=part.bytes, sha256=part.sha256)
        yield LockedFile(of="output", root=mix, name=part.index_name, bytes=None, sha256=part.index_sha256)
        yield LockedFile(of="output", root=mix, name=documents, bytes=None, sha256=part.documents_sha256)
        yield LockedFile(of="output", root=mix, name=repeated, bytes=-(-part.windows // 8), sha256=part.repeated_sha256)


def is_there(root: str) -> bool:
    """Is there such a folder? (Remote ones are never empty.)"""
    if storage.is_remote(root):
        return next(iter(storage.walk(root)), None) is not None
    return Path(root).is_dir()
