"""Bytes by path, wherever they are: local files, `s3://`, `hf://` (reading only). `Output` is the one way results appear."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.shards import hub, local, s3
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.output import Output, Pending
from dolmino_cli.shards.owner import owner
from dolmino_cli.shards.shard import Shard

__all__ = [
    "Output",
    "Pending",
    "cache_folder",
    "exists",
    "fetch",
    "join",
    "list_names",
    "open_bytes",
    "open_seekable",
    "read_bytes",
    "stat",
    "walk",
]


class Store(Protocol):
    """What a module of this folder offers for one kind of path."""

    def stat(self, path: str, /) -> Shard | None: ...
    def walk(self, root: str, /) -> Iterator[Shard]: ...
    def open_bytes(self, path: str, /) -> BinaryIO: ...


_STORES: dict[str, Store] = {"": cast(Store, local), "s3": cast(Store, s3), "hf": cast(Store, hub)}


def store_of(path: str) -> Store:
    """The store that `path` lies in. Raises ConfigError for a scheme that is not known."""
    scheme, separator, _ = path.partition("://")
    store = _STORES.get(scheme if separator else "")
    if store is None:
        raise ConfigError(
            f"{path}: unknown scheme {scheme!r}; allowed: a local path, s3://bucket/key, hf://datasets/owner/name/path"
        )
    return store


def stat(path: str) -> Shard | None:
    """The stored file at `path`; None where there is none. Raises StorageError when it may not be looked at."""
    return store_of(path).stat(path)


def walk(root: str) -> Iterator[Shard]:
    """Every stored file below `root`, names relative to it. Nothing where `root` is not there."""
    return store_of(root).walk(root)


def open_bytes(path: str) -> BinaryIO:
    """The stored bytes as they are (no decompression). Raises StorageError."""
    return store_of(path).open_bytes(path)


def open_seekable(path: str) -> BinaryIO:
    """The stored bytes for reading from any place; where the store is remote, each jump is a request. Raises StorageError."""
    if store_of(path) is not _STORES["s3"]:
        return open_bytes(path)
    return s3.open_bytes(path, scattered=True)


def read_bytes(path: str) -> bytes:
    """The whole stored file. Raises StorageError."""
    with open_bytes(path) as stream, storage_errors("read", path):
        return stream.read()


def exists(path: str) -> bool:
    """Whether there is a stored file at `path`."""
    return stat(path) is not None


def join(root: str, *parts: str) -> str:
    """`root` and `parts` with one slash between each."""
    return "/".join([root.rstrip("/"), *(part.strip("/") for part in parts)])


def is_remote(path: str) -> bool:
    """Is it in a store (`s3://`, `hf://`), and not on the local disk?"""
    return "://" in path


def absolute(root: str) -> str:
    """A root as another program finds it from anywhere: local folders from `/`."""
    return root if is_remote(root) else str(Path(root).absolute())


def list_names(root: str, suffix: str) -> list[str]:
    """Names (relative to `root`, sorted) of the files below it that end with `suffix`; unfinished ones are left out."""
    if store_of(root) is _STORES[""] and not Path(root).is_dir():
        return []
    try:
        return sorted(found.name for found in walk(root) if found.name.endswith(suffix) and not found.name.endswith(".partial"))
    except StorageError:
        if store_of(root) is _STORES[""] and not Path(root).exists():  # another process removed it meanwhile
            return []
        raise


def cache_folder() -> Path:
    """Where what can be made again is kept between runs: $DOLMINO_CACHE, else ~/.cache/dolmino."""
    return Path(os.environ.get("DOLMINO_CACHE") or Path.home() / ".cache" / "dolmino")


def fetch(path: str) -> Path:
    """A local file with the content of `path`: itself when local, else a download kept by path and etag.

    Downloads from S3 lie in $DOLMINO_CACHE (default ~/.cache/dolmino) and appear there whole; the Hub's in its own cache.
    Raises StorageError.
    """
    if store_of(path) is _STORES["hf"]:
        return hub.fetch(path)
    found = stat(path)
    if found is None:
        raise StorageError(f"cannot read {path}: there is no such file")
    if store_of(path) is _STORES[""]:
        return Path(path)
    key = hashlib.sha256(f"{found.path}\n{found.etag}\n{found.bytes}".encode()).hexdigest()[:32]
    target = cache_folder() / key / found.name
    if target.is_file():
        return target
    partial = target.with_name(f".{found.name}.{owner()}.partial")
    with open_bytes(path) as stream, storage_errors("download", f"{path} to {target}"):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                shutil.copyfileobj(stream, file, 1 << 20)
            if partial.stat().st_size != found.bytes:
                raise StorageError(f"{path}: {partial.stat().st_size} bytes arrived of {found.bytes}; run the command again")
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return target
