"""Compressed bytes <-> plain bytes, as streams; a cut or damaged file is told from a whole one."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, Literal

import zstandard

from dolmino_cli.shards.zstd_frames import FrameFollower

Compression = Literal["plain", "gzip", "zstd"]

# What a damaged place costs at most of the good bytes before it, and what is asked of a store at a time.
_PIECE_BYTES = 1 << 18
_MAX_ZSTD_WINDOW_BYTES = 1 << 31  # `zstd --long=31` files too; memory is taken by the frame's own window, not by this


class _Tap(io.RawIOBase):
    """Passes a source's bytes on, and shows them to `watch`."""

    def __init__(self, source: BinaryIO, watch: Callable[[bytes], None]) -> None:
        self._source, self._watch = source, watch
        self.count_bytes = 0

    def read(self, size: int = -1, /) -> bytes:
        piece = self._source.read(size)
        self.count_bytes += len(piece)
        self._watch(piece)
        return piece


class PlainBytes:
    """The decompressed content of a stream. `problem` says why it ended early, or None while all is well.

    Multi-frame zstd (skippable frames too) and multi-member gzip are one content. A compressed file of 0 bytes is
    truncated: an empty content has a frame around it.
    """

    def __init__(self, source: BinaryIO, compression: Compression) -> None:
        self.problem: str | None = None
        self._source, self._compression = source, compression
        self._frames = FrameFollower()
        self._tap = _Tap(source, self._frames.feed if compression == "zstd" else _ignore)
        self._read_into = self._reader(source)

    def skip(self, count_bytes: int) -> None:
        """Pass over plain bytes, or what is left of them: a seek where the source is plain and can, else by decompressing."""
        if self._compression == "plain" and self._source.seekable():
            self._source.seek(count_bytes, os.SEEK_CUR)
            return
        passed = bytearray(min(count_bytes, _PIECE_BYTES))
        while count_bytes:
            wanted = min(count_bytes, len(passed))
            if self.fill(memoryview(passed)[:wanted]) < wanted:
                return
            count_bytes -= wanted

    def _reader(self, source: BinaryIO) -> Callable[[memoryview], int]:
        if self._compression == "zstd":
            decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW_BYTES)
            return decompressor.stream_reader(self._tap, read_size=_PIECE_BYTES, read_across_frames=True).readinto  # type: ignore[arg-type]
        if self._compression == "gzip":
            reader = gzip.GzipFile(fileobj=self._tap, mode="rb")

            def read_into(view: memoryview) -> int:
                piece = reader.read1(len(view))  # what is there, so that a cut loses nothing before it
                view[: len(piece)] = piece
                return len(piece)

            return read_into
        return source.readinto  # type: ignore[attr-defined, no-any-return]

    def fill(self, view: memoryview) -> int:
        """Fill `view` with the next bytes; fewer only at the end or at a `problem`. Returns how many."""
        filled = 0
        while filled < len(view) and self.problem is None:
            count = self._fill_piece(view[filled : filled + _PIECE_BYTES])
            if not count:
                break
            filled += count
        return filled

    def _fill_piece(self, view: memoryview) -> int:
        try:
            count = self._read_into(view)
        except EOFError:
            self.problem = f"truncated: the {self._compression} data ends before its end mark"
            return 0
        except (zstandard.ZstdError, zlib.error, gzip.BadGzipFile) as error:
            self.problem = f"corrupt {self._compression} data: {error}"
            return 0
        if not count and self._compression != "plain":
            if not self._tap.count_bytes:
                self.problem = f"truncated: the file has 0 bytes, not even a {self._compression} header"
            elif not self._frames.complete:
                self.problem = "truncated: the zstd data ends inside a frame"
        return count


def _ignore(_piece: bytes) -> None:
    return


class _Plain:
    """Writes through; closing leaves the sink open, as the compressing writers do."""

    def __init__(self, sink: Any) -> None:
        self.write = sink.write

    def close(self) -> None:
        return


def compressing(sink: Any, compression: Compression, *, zstd_level: int, gzip_level: int) -> Any:
    """A writer that compresses into `sink`. `close()` ends the stream (valid with no writes too) and leaves `sink` open.

    The same content gives the same bytes, however it is cut into writes: no time or name is stored.
    """
    if compression == "zstd":
        compressor = zstandard.ZstdCompressor(level=zstd_level, write_checksum=True)
        return compressor.stream_writer(sink, closefd=False)
    if compression == "gzip":
        return gzip.GzipFile(filename="", fileobj=sink, mode="wb", compresslevel=gzip_level, mtime=0)
    return _Plain(sink)
