"""What S3 objects were when their sha256 was last found right: size and etag, kept in dolmino's cache folder.

An etag says nothing of a sha256: of an object sent in one piece it is an MD5, of one sent in parts a hash of hashes, of an
encrypted one neither, and no lock knows any of these. But an object whose etag is the one it had when it was read and found
right has not changed since. So a full verify remembers etags, and a quick one believes them; an etag that it does not know,
or not any more, proves nothing, and such an object is read where its size alone does not say enough.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import msgspec

from dolmino_cli.errors import StorageError
from dolmino_cli.shards import storage
from dolmino_cli.shards.storage import Output


@dataclass(frozen=True, kw_only=True)
class Mark:
    """An object when it was read: its etag and size, and the sha256 that its bytes had."""

    etag: str
    bytes: int
    sha256: str


def recall(root: str) -> dict[str, Mark]:
    """The marks of the objects below a prefix, by name; none where nothing, or nothing legible, was remembered."""
    try:
        data = _folder().read(_name(root))
        return msgspec.json.decode(data, type=dict[str, Mark]) if data is not None else {}
    except (StorageError, msgspec.DecodeError):
        return {}


def remember(root: str, marks: Mapping[str, Mark]) -> None:
    """Add to what is remembered of a prefix. Raises StorageError."""
    known = recall(root) | dict(marks)
    _folder().put(_name(root), msgspec.json.encode({name: asdict(mark) for name, mark in sorted(known.items())}))


def _folder() -> Output:
    return Output(str(storage.cache_folder() / "verified"))


def _name(root: str) -> str:
    return f"{hashlib.sha256(root.encode()).hexdigest()[:32]}.json"
