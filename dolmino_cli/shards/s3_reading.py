"""An object in S3 as a stream: read on, it is fetched ahead in parallel ranges; read here and there, as asked for.

boto3's streams and smart_open's have one connection per object: it gives some 90 MB/s at best, nothing while the reader is busy
with what came before, and smart_open begins it anew after every seek. docs/cluster.md has the measured rates.
"""

from __future__ import annotations

import functools
import io
import os
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.s3_object import StoredObject

RANGE_BYTES = 8 << 20
"""What one request asks for where reading goes on; a smaller object takes one request."""

RANGES_AHEAD = 4
"""Requests under way for one stream, besides the range that is being read: 40 MiB of memory in all."""

_RANGES_AHEAD_IN_ALL = 16  # of all streams of a process together: 128 MiB
_LEAST_BYTES = 64 << 10


class _Fetchers:
    """The threads that fetch ahead, and how many ranges more they may."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(_RANGES_AHEAD_IN_ALL, thread_name_prefix="s3")
        self.left = threading.BoundedSemaphore(_RANGES_AHEAD_IN_ALL)


@functools.lru_cache(maxsize=1)
def _fetchers(_process: int) -> _Fetchers:
    return _Fetchers()


class S3Reader(io.RawIOBase):
    """A seekable stream over one version of an object. Reads give all that is asked for, fewer bytes only at the end.

    `scattered`: the end is fetched first, and reads are expected anywhere (Parquet): how much is fetched grows with how much was
    read in a row since the last jump. Otherwise the start is fetched first, and reading is expected to go on from any place.
    Raises StorageError where the object cannot be opened or read, DataError where it was changed since it was opened.
    """

    def __init__(self, uri: str, *, scattered: bool = False) -> None:
        self._ahead: deque[tuple[int, Future[bytearray]]] = deque()  # the ranges after the one that is held, without gaps
        self._abandoned = threading.Event()
        self._start, self._held = 0, bytearray()
        self._row_after_jump = 0 if scattered else RANGE_BYTES
        self._position, self._in_a_row = 0, self._row_after_jump
        self._object, self._fetchers = StoredObject(uri), _fetchers(os.getpid())
        with storage_errors("read", uri):
            if scattered:
                # Some stores refuse to send the last 64 KiB of what is smaller.
                self._held = self._object.fetch(-_LEAST_BYTES, None) or self._object.fetch(0, _LEAST_BYTES)
                self._start = self.size_bytes - len(self._held)
            else:
                self._held = self._object.fetch(0, RANGE_BYTES)

    @property
    def size_bytes(self) -> int:
        """The size of the object."""
        return self._object.size_bytes or 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place; nothing is fetched before it is read."""
        self._position = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size_bytes}[whence])
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        """Fill `buffer`; returns how many bytes that took."""
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view):
            piece = self._piece(len(view) - filled)
            if not piece:
                break
            view[filled : filled + len(piece)] = piece
            filled += len(piece)
            self._position += len(piece)
        return filled

    def read(self, size: int | None = -1, /) -> bytes:
        """`size` bytes, or all to the end."""
        left = max(0, self.size_bytes - self._position)
        size = left if size is None or size < 0 else min(size, left)
        piece = self._piece(size)
        if len(piece) == size:
            self._position += size
            return bytes(piece)
        whole = bytearray(size)
        return bytes(memoryview(whole)[: self.readinto(whole)])

    def readall(self) -> bytes:
        """All to the end."""
        return self.read()

    def close(self) -> None:
        """Give up what was being fetched."""
        if not self.closed:
            self._drop_ahead()
            self._held = bytearray()
        super().close()

    def _piece(self, most: int) -> memoryview:
        """Up to `most` bytes from the position on, at least one before the end."""
        if self.closed:
            raise ValueError(f"{self._object.uri} was closed")
        if self._position >= self.size_bytes or not most:
            return memoryview(b"")
        if not self._start <= self._position < self._start + len(self._held):
            self._move(most)
        if self._in_a_row >= RANGE_BYTES:  # not before something is read: who opens a stream may go elsewhere first
            self._fetch_ahead()
        at = self._position - self._start
        return memoryview(self._held)[at : at + most]

    def _move(self, wanted: int) -> None:
        """Have the range held that the position is in."""
        if self._position == self._start + len(self._held):
            self._in_a_row += len(self._held)
        else:
            self._in_a_row = self._row_after_jump
        self._held = bytearray()
        if self._ahead and self._ahead[0][0] == self._position:
            self._start, coming = self._ahead.popleft()
            try:
                with storage_errors("read", self._object.uri):
                    self._held = coming.result()
            finally:
                self._fetchers.left.release()
        else:
            self._drop_ahead()
            length = max(wanted, _LEAST_BYTES, min(self._in_a_row, RANGE_BYTES))
            with storage_errors("read", self._object.uri):
                self._held = self._object.fetch(self._position, min(length, self.size_bytes - self._position))
            self._start = self._position

    def _fetch_ahead(self) -> None:
        start = self._ahead[-1][0] + RANGE_BYTES if self._ahead else self._start + len(self._held)
        while len(self._ahead) < RANGES_AHEAD and start < self.size_bytes and self._fetchers.left.acquire(blocking=False):
            length = min(RANGE_BYTES, self.size_bytes - start)
            coming = self._fetchers.threads.submit(self._object.fetch, start, length, abandoned=self._abandoned)
            self._ahead.append((start, coming))
            start += length

    def _drop_ahead(self) -> None:
        if not self._ahead:
            return
        self._abandoned.set()
        self._abandoned = threading.Event()
        while self._ahead:
            self._ahead.popleft()[1].cancel()
            self._fetchers.left.release()
