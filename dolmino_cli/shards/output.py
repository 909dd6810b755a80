"""Output: the one way results appear. A file is written under another name and shown whole, or not at all."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.shards import folder_clock, s3
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.owner import owner

_MOST_OPENINGS = 5


class Pending(io.RawIOBase):
    """A file being written, invisible until `publish`. A context manager: what was not published is discarded.

    `bytes` counts what was written; `sha256` (hex) is that of all of it, final once closed. Every failure to write
    is a StorageError. The temporary name has the process in it (`owner`): two that write the same file by accident do not
    write into each other's, and what a killed one left can be told from what is being written.
    """

    def __init__(self, scratch: Path, destination: str) -> None:
        self._scratch, self.destination = scratch, destination
        self._hash = hashlib.sha256()
        self.bytes = 0
        self.published = False
        with storage_errors("write", self._where):
            mode = 0o700 if destination.startswith("s3://") else 0o777
            for left in reversed(range(_MOST_OPENINGS)):
                try:
                    scratch.parent.mkdir(parents=True, exist_ok=True, mode=mode)
                    self._file = scratch.open("xb", buffering=0)
                    break
                except FileExistsError:  # left by this process: it may be a name of what `publish_new` has published
                    if not left or not scratch.is_file():
                        raise
                    scratch.unlink(missing_ok=True)
                except FileNotFoundError:  # another process removed the folder, or one above it, which was empty
                    if not left:
                        raise

    @property
    def _where(self) -> str:
        if self.destination.startswith("s3://"):
            return f"the scratch file {self._scratch} for {self.destination} (TMPDIR chooses its folder)"
        return self.destination

    @property
    def sha256(self) -> str:
        """Hex digest of what was written so far."""
        return self._hash.hexdigest()

    def writable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Bytes written; there is no seeking."""
        return self.bytes

    def write(self, data: Any, /) -> int:
        """Write all of a bytes-like object. Raises StorageError (disk full, limit, permission)."""
        left = memoryview(data).cast("B")
        total = len(left)
        self._hash.update(left)
        with storage_errors("write", self._where):
            while left:  # an unbuffered write may take a part only: at a limit, or above 2 GiB
                left = left[self._file.write(left) :]
        self.bytes += total
        return total

    def close(self) -> None:
        """End writing; nothing is shown yet."""
        if not self.closed:
            with storage_errors("write", self._where):
                self._file.close()
            super().close()

    def move_to(self, destination: str) -> None:
        """Publish under another name, of the same output, than was begun with."""
        self.destination = destination
        if not destination.startswith("s3://"):
            with storage_errors("write", destination):
                Path(destination).parent.mkdir(parents=True, exist_ok=True)

    def publish(self) -> None:
        """Make the file appear under its final name, replacing what was there: a rename, or a completed upload."""
        self.close()
        if self.destination.startswith("s3://"):
            s3.upload(self._scratch, self.destination)
            self._remove_scratch()
        else:
            with storage_errors("write", self.destination):
                self._scratch.replace(self.destination)
        self.published = True

    def publish_new(self) -> bool:
        """As `publish`, of a local file, unless the name is taken: then False, and what was written is forgotten."""
        self.close()
        with storage_errors("write", self.destination):
            try:
                os.link(self._scratch, self.destination)
            except FileExistsError:
                return False
        self.published = True
        self._remove_scratch()
        return True

    def discard(self) -> None:
        """Forget what was written."""
        self.close()
        if not self.published:
            self._remove_scratch()

    def _remove_scratch(self) -> None:
        """Where that fails, the file stays for the next run, or `clean`, to remove: it must not hide why this one failed."""
        with suppress(OSError):
            self._scratch.unlink(missing_ok=True)

    def __enter__(self) -> Pending:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.discard()


# A name that needs no tidying: no part is empty, `.` or `..`.
_PLAIN = re.compile(r"(?:(?!\.{1,2}(?:/|\Z))[^/]+/)*(?!\.{1,2}\Z)[^/]+")


class Output:
    """A folder, or an S3 prefix, that results appear in. Names are relative, with `/`. Pickles as its root."""

    def __init__(self, root: str) -> None:
        scheme, separator, _ = root.partition("://")
        if separator and scheme != "s3":
            raise ConfigError(f"cannot write to {root!r}; allowed: a local folder, or s3://bucket/prefix")
        if not root:
            raise ConfigError("the output folder is empty; give a local folder, or s3://bucket/prefix")
        self.root = root.rstrip("/") or "/"
        self.is_s3 = bool(separator)

    def __repr__(self) -> str:
        return f"Output({self.root!r})"

    def path(self, name: str) -> str:
        """The full path or URI of `name`."""
        if _PLAIN.fullmatch(name):
            return f"{self.root.rstrip('/')}/{name}"
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or parts[0] == "/":
            raise ConfigError(f"{name!r} is not a name inside {self.root}; give a relative path without '..'")
        return f"{self.root.rstrip('/')}/{'/'.join(parts)}"

    @property
    def unfinished_folder(self) -> Path:
        """The local folder that files are written in, or below, until they are whole: of S3, one that other outputs use, too."""
        return Path(tempfile.gettempdir()) / f"dolmino-{os.getuid()}" if self.is_s3 else Path(self.root)

    def create(self, name: str) -> Pending:
        """Begin to write `name`. Raises StorageError."""
        destination = self.path(name)
        if self.is_s3:
            digest = hashlib.sha256(destination.encode()).hexdigest()[:24]
            return Pending(self.unfinished_folder / f"{digest}-{PurePosixPath(name).name[-100:]}.{owner()}.partial", destination)
        final = Path(destination)
        return Pending(final.with_name(f".{final.name}.{owner()}.partial"), destination)

    def check_writable(self) -> None:
        """Raises StorageError where nothing can be written here, as far as that can be told; leaves nothing behind."""
        if self.is_s3:
            self.put(".writable", b"")
            self.delete(".writable")
            return
        folder = Path(self.root).absolute()
        there = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
        if not there.is_dir():
            raise StorageError(f"cannot write to {self.root}: {there} is no folder")
        if not os.access(there, os.W_OK | os.X_OK):
            raise StorageError(f"cannot write to {self.root}: no permission to write in {there}")

    def put(self, name: str, data: bytes) -> None:
        """Write a small file in one step, replacing what was there. Raises StorageError."""
        if self.is_s3:
            s3.write_bytes(self.path(name), data)
            return
        with self.create(name) as pending:
            pending.write(data)
            pending.publish()

    def put_new(self, name: str, data: bytes) -> bool:
        """Write a small file in one step unless `name` is there; returns whether it was written. Raises StorageError.

        Of several processes that try at once, one succeeds (on S3, as far as the store knows conditional writes).
        """
        if self.is_s3:
            return s3.write_new(self.path(name), data)
        with self.create(name) as pending:
            pending.write(data)
            return pending.publish_new()

    def remove_if(self, name: str, data: bytes | None) -> bool:
        """Remove `name` if its content is `data` (None: if it is not there); returns whether it is gone by this call.

        Of several processes that try at once, one succeeds; on S3, where the store knows conditional deletions.
        """
        if self.is_s3 and data is not None:
            return s3.remove_if(self.path(name), data)
        if self.read(name) != data:
            return False
        if data is None:
            return True
        path, own = Path(self.path(name)), Path(self.path(f"{name}.{owner()}.partial"))
        with storage_errors("delete", str(path)):
            try:
                path.rename(own)
            except FileNotFoundError:
                return False
            if own.read_bytes() != data:  # removed and written anew by another since it was read: that one's stays
                with suppress(FileExistsError):
                    os.link(own, path)
                own.unlink()
                return False
            own.unlink()
        return True

    def age_seconds(self, name: str) -> float | None:
        """How long ago `name` was written, by the clock of the store that it is in; None where it is not there."""
        path = self.path(name)
        if self.is_s3:
            return s3.age_seconds(path)
        with storage_errors("look at", path):
            try:
                written = Path(path).stat().st_mtime
            except (FileNotFoundError, NotADirectoryError):
                return None
            return folder_clock.now(Path(self.root)) - written

    def read(self, name: str) -> bytes | None:
        """The whole file, or None where there is none. Raises StorageError."""
        path = self.path(name)
        if self.is_s3:
            return s3.read_bytes(path)
        with storage_errors("read", path):
            try:
                with open(path, "rb") as file:  # noqa: PTH123 - one of 100,000 ledger entries; Path takes as long again
                    return file.read()
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                return None

    def exists(self, name: str) -> bool:
        """Whether `name` is there, whole."""
        path = self.path(name)
        return s3.stat(path) is not None if self.is_s3 else Path(path).is_file()

    def delete(self, name: str) -> None:
        """Remove `name`, if it is there."""
        path = self.path(name)
        if self.is_s3:
            s3.delete(path)
            return
        with storage_errors("delete", path):
            Path(path).unlink(missing_ok=True)

    def local_path(self, name: str) -> Path | None:
        """Where `name` lies on this machine; None on S3."""
        return None if self.is_s3 else Path(self.path(name))
