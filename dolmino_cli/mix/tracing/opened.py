"""A sampled mix, opened to be looked up in: its lock, and of its parts only what is asked for."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.mix import lock as locks
from dolmino_cli.mix.folder import UNFINISHED
from dolmino_cli.mix.lock import Lock, MixPart
from dolmino_cli.mix.provenance import SCHEMA, provenance_name, read_provenance
from dolmino_cli.mix.windows import repeated_name, unpack_windows
from dolmino_cli.shards import storage
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.tokens.arrays import numpy_dtype


@dataclass(frozen=True, kw_only=True)
class OpenMix:
    """A mix that `dolmino sample` finished. Nothing of its parts is read before it is asked for. Made by `open_mix`."""

    root: str
    lock: Lock
    parts: tuple[MixPart, ...]
    """In the order of the lock, which is that of the mix's tokens."""

    @functools.cached_property
    def sources(self) -> tuple[str, ...]:
        """Names of the sources, in the order in which provenance numbers them."""
        return tuple(self.lock.manifest.sources)

    @functools.cached_property
    def part_starts(self) -> npt.NDArray[np.int64]:
        """Where each part begins in the mix, in tokens; one entry more than there are parts."""
        return np.concatenate((np.zeros(1, np.int64), np.cumsum([part.tokens for part in self.parts], dtype=np.int64)))

    @property
    def tokens(self) -> int:
        """Of the whole mix."""
        return int(self.part_starts[-1])

    def documents(self, part: int, *, whole: bool = True) -> pa.RecordBatch:
        """The documents of a part (0-based, in the lock's order), columns as `provenance.SCHEMA`.

        Raises DataError when they are not what the lock says: by sha256, or without `whole`, where nothing but what is looked
        up is read, by their number and end.
        """
        path = storage.join(self.root, provenance_name(self.parts[part].name))
        return _documents(path, self.parts[part], whole or path.startswith("s3://"))

    def keys(self, part: int) -> npt.NDArray[np.uint64]:
        """The order keys of a part's documents alone: from S3, a tenth of what `documents` reads."""
        path = storage.join(self.root, provenance_name(self.parts[part].name))
        if not path.startswith("s3://"):
            return np.asarray(self.documents(part).column("key"), np.uint64)
        options = pa.ipc.IpcReadOptions(included_fields=[SCHEMA.get_field_index("key")])
        with storage.open_seekable(path) as file, storage_errors("read", path):
            try:
                keys = pa.ipc.open_file(file, options=options).get_batch(0).column("key").to_numpy()
            except pa.ArrowInvalid as error:
                raise DataError(f"is not the documents of a mix's part: {error}", path=path) from None
        _check_count(len(keys), self.parts[part], path)
        return np.asarray(keys, np.uint64)

    def token_ids(self, part: int, start: int, stop: int) -> npt.NDArray[np.unsignedinteger]:
        """The ids of a part's tokens `start` up to before `stop`: mapped, or one ranged read from S3. Raises DataError."""
        found = self.parts[part]
        assert 0 <= start <= stop <= found.tokens, f"tokens {start} to {stop} of a part of {found.tokens}"
        path, dtype = storage.join(self.root, found.name), numpy_dtype("uint16" if self.lock.dtype == "uint16" else "uint32")
        if path.startswith("s3://"):
            with storage.open_seekable(path) as file, storage_errors("read", path):
                file.seek(start * dtype.itemsize)
                data = file.read((stop - start) * dtype.itemsize)
            if len(data) != (stop - start) * dtype.itemsize:
                raise DataError(f"ends before its {found.tokens:,} tokens; the lock says {found.bytes:,} bytes", path=path)
            return np.frombuffer(data, dtype)
        with storage_errors("read", path):
            size = Path(path).stat().st_size
            if size != found.bytes:
                raise DataError(f"has {size:,} bytes, the lock says {found.bytes:,}; sample the mix again", path=path)
            return np.memmap(path, dtype, "r")[start:stop]

    def repeated(self, part: int) -> npt.NDArray[np.bool_]:
        """For each window of a part (of the lock's sequence length): does it repeat itself? Raises DataError."""
        found = self.parts[part]
        path = storage.join(self.root, repeated_name(found.name))
        data = storage.read_bytes(path)
        if len(data) != -(-found.windows // 8):
            raise DataError(f"has {len(data):,} bytes for {found.windows:,} windows of one bit; sample the mix again", path=path)
        if hashlib.sha256(data).hexdigest() != found.repeated_sha256:
            raise DataError("was changed after it was written: its sha256 is not the lock's; sample the mix again", path=path)
        return unpack_windows(data, found.windows)


def open_mix(place: str) -> OpenMix:
    """The mix in a folder or under an s3:// prefix, or the one whose lock `place` is.

    Raises ConfigError when no finished mix is there; DataError when its lock is damaged or of another version.
    """
    root, _, name = place.rpartition("/") if place.endswith(locks.SUFFIX) else (place, "", _find_lock(place))
    root = root or "."
    path = storage.join(root, name)
    lock = locks.parse(storage.read_bytes(path), path)
    if lock.outputs is None:
        raise ConfigError(f"{path} was locked before anything was sampled; write the mix with `dolmino sample {path} ...`")
    if storage.exists(storage.join(root, UNFINISHED)):
        raise ConfigError(f"{root} holds an unfinished mix ({UNFINISHED}); run its `dolmino sample` again")
    return OpenMix(root=root, lock=lock, parts=tuple(lock.outputs))


def _find_lock(root: str) -> str:
    """The name of the lock in a mix's folder. Listings are in order of name, and a lock's comes among the first."""
    if root.startswith("s3://") or Path(root).is_dir():
        names = (found.name for found in storage.walk(root))
        found = next((name for name in names if name.endswith(locks.SUFFIX) and "/" not in name), None)
        if found is not None:
            return found
    raise ConfigError(f"{root} holds no MIX{locks.SUFFIX}; give a folder that `dolmino sample` finished, or the lock inside one")


@functools.lru_cache(maxsize=64)
def _documents(path: str, part: MixPart, whole: bool) -> pa.RecordBatch:
    documents = read_provenance(path, part.documents_sha256 if whole else None)
    _check_count(len(documents), part, path)
    last = documents.column("end")[-1].as_py() if len(documents) else 0
    if last != part.tokens:
        raise DataError(f"its documents end at token {last:,}, the part has {part.tokens:,}; sample the mix again", path=path)
    return documents


def _check_count(documents: int, part: MixPart, path: str) -> None:
    if documents != part.documents:
        raise DataError(f"holds {documents:,} documents, the lock says {part.documents:,}; sample the mix again", path=path)
