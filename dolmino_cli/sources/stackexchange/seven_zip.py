"""Posts.xml out of a .7z as a stream of plain bytes: nothing is unpacked to disk, and little is held in memory.

py7zr gives what it unpacks to a writer; rows are read from a stream. So it runs in a thread that waits whenever the reader
is a piece behind.
"""

from __future__ import annotations

import io
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from dolmino_cli.errors import DataError, DolminoError, MissingExtra, StorageError
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.storage import open_seekable

if TYPE_CHECKING:
    import py7zr

_NAME = "Posts.xml"
# A piece is what one megabyte of the archive unpacks to: some 5 MB of a dump, more of what repeats itself.
_WAITING_PIECES = 1
_PATIENCE_SECONDS = 0.2
_READ_BYTES = 4 << 20


class _Stopped(Exception):
    """Thrown inside py7zr to end its work."""


class SevenZipStream:
    """The Posts.xml of an archive. `problem` says why it ended early, or None while all is well."""

    def __init__(self, archive: py7zr.SevenZipFile, member: str) -> None:
        self.problem: str | None = None
        self._pieces: queue.Queue[bytes | None] = queue.Queue(_WAITING_PIECES)
        self._held = memoryview(b"")
        self._ended = False
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._unpack, args=(archive, member), daemon=True)
        self._thread.start()

    def fill(self, view: memoryview) -> int:
        """Fill `view` with the next bytes; fewer only at the end or at a `problem`. Raises StorageError."""
        filled = 0
        while filled < len(view) and not self._ended:
            if not self._held:
                piece = self._pieces.get()
                if piece is None:
                    self._end()
                    break
                self._held = memoryview(piece)
            count = min(len(self._held), len(view) - filled)
            view[filled : filled + count] = self._held[:count]
            self._held = self._held[count:]
            filled += count
        return filled

    def close(self) -> None:
        """Stop unpacking and wait until it has stopped."""
        self._stop.set()
        self._thread.join()

    def _end(self) -> None:
        self._ended = True
        if isinstance(self._failure, DolminoError):
            raise self._failure
        if self._failure is not None:
            self.problem = f"corrupt or truncated 7z data ({type(self._failure).__name__}: {self._failure}); fetch it again"

    def _unpack(self, archive: py7zr.SevenZipFile, member: str) -> None:
        try:
            archive.extract(targets=[member], factory=_factory(self._put))
        except _Stopped:
            return
        except BaseException as error:  # noqa: BLE001 - it is raised, or told, where the stream is read
            self._failure = error
        self._put_or_stop(None)

    def _put(self, piece: bytes) -> None:
        if not self._put_or_stop(bytes(piece)):
            raise _Stopped

    def _put_or_stop(self, piece: bytes | None) -> bool:
        while not self._stop.is_set():
            try:
                self._pieces.put(piece, timeout=_PATIENCE_SECONDS)
            except queue.Full:
                continue
            return True
        return False


@contextmanager
def open_posts(path: str) -> Iterator[SevenZipStream]:
    """The Posts.xml of the archive at `path`. Raises DataError for one without it or that is no archive; StorageError."""
    with _archive(path) as archive:
        stream = SevenZipStream(archive, _member(archive, path).filename)
        try:
            yield stream
        finally:
            stream.close()


def posts_bytes(path: str) -> int:
    """How large Posts.xml is unpacked, as the archive's directory says. Raises as `open_posts`."""
    with _archive(path) as archive:
        return int(_member(archive, path).uncompressed)


class _Source(io.RawIOBase):
    """A stored file whose failures to read are StorageErrors: others, of the bz2 module say, mean that the archive is corrupt."""

    def __init__(self, path: str) -> None:
        self._path, self._file = path, open_seekable(path)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any, /) -> int:
        with storage_errors("read", self._path):
            piece = self._file.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._file.close()
        super().close()


@contextmanager
def _archive(path: str) -> Iterator[py7zr.SevenZipFile]:
    try:
        import py7zr
    except ImportError:
        raise MissingExtra("py7zr", extra="stackexchange", needed_for=f"reading {path}") from None
    # The directory, at the end, is read in pieces of a few bytes; after that all is read in a row.
    with io.BufferedReader(_Source(path), _READ_BYTES) as source:
        try:
            archive = py7zr.SevenZipFile(source, "r")
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - a damaged directory leads py7zr to errors of any kind
            problem = f"not a readable 7z archive ({type(error).__name__}: {error}); fetch it again"
            raise DataError(problem, path=path) from None
        with archive:
            yield archive


def _member(archive: py7zr.SevenZipFile, path: str) -> Any:
    members = [member for member in archive.list() if PurePosixPath(member.filename).name == _NAME]
    if len(members) != 1:
        names = ", ".join(archive.getnames()[:12]) or "nothing"
        found = "holds no Posts.xml" if not members else f"holds {len(members)} files called Posts.xml"
        raise DataError(f"the archive {found}; in it: {names}", path=path)
    return members[0]


def _factory(put: Any) -> Any:
    """What py7zr asks for a file to write to, for the one member: it passes all that is written to `put`."""
    from py7zr.io import Py7zIO, WriterFactory

    class Pipe(Py7zIO):
        def write(self, s: bytes | bytearray) -> int:
            put(s)
            return len(s)

        def read(self, size: int | None = None) -> bytes:
            return b""

        def seek(self, offset: int, whence: int = 0) -> int:
            return 0

        def flush(self) -> None:
            return

        def size(self) -> int:
            return 0

    class Pipes(WriterFactory):
        def create(self, filename: str) -> Py7zIO:
            return Pipe()

    return Pipes()
