"""Shard: one stored file of documents, as a listing finds it."""

from __future__ import annotations

from dataclasses import dataclass

from dolmino_cli.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One stored file.

    `path` opens it; `name` is its path relative to the root it was listed under, unique in a listing, and what its
    outputs are called after. `bytes` is its stored (compressed) size. `etag` is the store's own mark of the content
    (S3 ETag, Hub blob id); for a local file, `mtime:<nanoseconds>`.
    """

    path: str
    name: str
    bytes: int
    etag: str | None


def changed(path: str) -> DataError:
    """The error of a file that is not the one any more that a reader began with."""
    return DataError("was changed while it was being read; restore it, and run the command again", path=path)
