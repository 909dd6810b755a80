"""Parts of a mix on S3, read through a bounded folder on this machine's own disk.

Windows are shuffled over the whole mix, so every step reads from every part: parts that come and go would be fetched again and
again. So a mix that fits into the cache is fetched whole before the first step, once per machine, and mapped from there. Of
one that does not, the cache holds the documents and repeated windows only (some per cent), and just the windows that a rank
trains on are read, by range, while earlier ones are trained on: over a run, every byte once by one rank.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.for_training import MixForTraining
from dolmino_cli.mix.parts.fetch import Wanted, fetch_files
from dolmino_cli.mix.parts.local import LocalParts
from dolmino_cli.mix.parts.unchanged import check_arrays
from dolmino_cli.mix.provenance import provenance_name
from dolmino_cli.mix.windows import repeated_name
from dolmino_cli.shards import s3, storage

CACHE_BYTES = 64 << 30
_READERS = 8  # per rank; a range takes some 30 ms, whatever its size


class WholeParts(LocalParts):
    """A mix on S3 that fits into the cache."""

    def __init__(self, mix: MixForTraining, folder: Path) -> None:
        super().__init__(dataclasses.replace(mix, root=str(folder)))
        self._stored, self._folder = mix, folder

    def prepare(self, *, rank: int, world_size: int, say: Callable[[str], None]) -> None:
        """Every machine fetches all files; its ranks share the work."""
        files = wanted_files(self._stored)
        say(f"fetching {self._stored.root} ({_size(_total(files))}) into {self._folder}")
        fetch_files(files, self._folder, begin_at=rank / world_size)


class RangedParts(LocalParts):
    """A mix on S3 that is larger than the cache."""

    def __init__(self, mix: MixForTraining, folder: Path) -> None:
        super().__init__(dataclasses.replace(mix, root=str(folder)))
        self._stored, self._folder = mix, folder
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="s3-window")

    def prepare(self, *, rank: int, world_size: int, say: Callable[[str], None]) -> None:
        """Every machine fetches documents and repeated windows; arrays are read once by all ranks together, for their sha256."""
        say(f"reading windows of {self._stored.root} as they are needed: the mix is larger than the cache for {self._folder}")
        fetch_files(wanted_files(self._stored, arrays=False), self._folder, begin_at=rank / world_size)
        check_arrays(self._stored, range(rank, len(self._stored.parts), world_size), say=say)

    def windows(self, places: Sequence[tuple[int, int]], length: int) -> Sequence[npt.NDArray[np.unsignedinteger]]:
        """As `LocalParts.windows`, several at a time. Raises DataError when an object is no longer the one that was checked."""
        size = self._stored.dtype.itemsize

        def read(place: tuple[int, int]) -> npt.NDArray[np.unsignedinteger]:
            part, start = place
            found = self._stored.files[self._stored.parts[part].name]
            return np.frombuffer(s3.read_range(found, start * size, length * size), self._stored.dtype)

        return list(self._readers.map(read, places))


def open_parts(mix: MixForTraining, *, cache: Path | None = None, cache_bytes: int = CACHE_BYTES) -> LocalParts:
    """The parts of a mix, wherever it is. Raises ConfigError when the cache is too small for what it must hold.

    `cache` (default: `mixes` in dolmino's cache folder) is for mixes on S3, on a disk of this machine; `cache_bytes` bounds all
    that is in it, what earlier runs left there too.
    """
    if not storage.is_remote(mix.root):
        return LocalParts(mix)
    cache = cache if cache is not None else storage.cache_folder() / "mixes"
    folder = cache / mix.identity["parts_sha256"][:16]
    others = _held(cache, besides=folder)
    whole, needed = (_total(wanted_files(mix, arrays=arrays)) for arrays in (True, False))
    if whole <= cache_bytes - others:
        return WholeParts(mix, folder)
    if needed <= cache_bytes - others:
        return RangedParts(mix, folder)
    held = f" beside the {_size(others)} that {cache} holds of others" if others else ""
    raise ConfigError(
        f"a cache of {_size(cache_bytes)} is too small{held}: the documents of {mix.root} take {_size(needed)} (the whole mix"
        f" {_size(whole)}); give it more room, or another folder"
    )


def wanted_files(mix: MixForTraining, *, arrays: bool = True) -> list[Wanted]:
    """What is fetched of a mix: all that a trainer reads, or all but the arrays."""
    return list(_wanted(mix, arrays))


def _wanted(mix: MixForTraining, arrays: bool) -> Iterator[Wanted]:
    for part in mix.parts:
        named = {provenance_name(part.name): part.documents_sha256, repeated_name(part.name): part.repeated_sha256}
        for name, sha256 in (named | {part.name: part.sha256} if arrays else named).items():
            yield Wanted(path=mix.files[name].path, name=name, bytes=mix.files[name].bytes, sha256=sha256)


def _held(cache: Path, *, besides: Path) -> int:
    """Bytes of the files below a folder; another run may be removing some of them."""
    held = 0
    for path in cache.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            held += path.stat().st_size if path.is_file() and besides not in path.parents else 0
    return held


def _total(files: Sequence[Wanted]) -> int:
    return sum(file.bytes for file in files)


def _size(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size:,} bytes"
