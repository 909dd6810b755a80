"""Rows on the local disk between the two passes, by the range of answer ids that they belong to.

A partition is the answers with ids `number * IDS ... (number + 1) * IDS - 1` and the questions that accept one of these. Per
partition there are up to three files of zstd frames one after another: question rows and answer rows as their own lines, and
the ids (int64) of answers whose score is too low, whose text can matter no more.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import zstandard

from dolmino_cli.shards.compression import PlainBytes
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.sources.stackexchange.posts import Posts, posts_of

IDS = 1 << 15
"""Ids per partition: some 45 MB of XML, of which the second pass holds the pairs, 10 to 20 MB."""

Kind = Literal["questions", "answers", "low"]

_FRAME_BYTES = 1 << 20
_HELD_BYTES = 24 << 20
_READ_BYTES = 1 << 20


class SpillWriter:
    """Writes the partitions of one site below `folder`, which is emptied first; holds at most 24 MB."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: defaultdict[tuple[Kind, int], bytearray] = defaultdict(bytearray)
        self._held_bytes = 0
        # A frame by itself per call; level 1 is as fast as lower ones here, and packs dumps to a third.
        self._compressor = zstandard.ZstdCompressor(level=1)
        self.partitions: set[int] = set()
        self.written_bytes = 0
        with storage_errors("write", str(folder)):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)

    def add_rows(self, kind: Kind, posts: Posts, answer_ids: np.ndarray) -> None:
        """Put rows into the partitions of `answer_ids` (int64, one per row, not negative)."""
        for partition, chosen in _by_partition(answer_ids):
            self._add(kind, partition, posts.where(chosen).lines().data)

    def add_low(self, answer_ids: np.ndarray) -> None:
        """Put down that there are answers with these ids, and that their score is too low."""
        for partition, chosen in _by_partition(answer_ids):
            self._add("low", partition, memoryview(answer_ids[chosen].tobytes()))

    def finish(self) -> None:
        """Write what is held."""
        for key in list(self._held):
            self._write(key)

    def _add(self, kind: Kind, partition: int, data: memoryview) -> None:
        held = self._held[kind, partition]
        held += data
        self.partitions.add(partition)
        self._held_bytes += len(data)
        if len(held) >= _FRAME_BYTES:
            self._write((kind, partition))
        while self._held_bytes > _HELD_BYTES:
            self._write(max(self._held, key=lambda key: len(self._held[key])))

    def _write(self, key: tuple[Kind, int]) -> None:
        data = self._held.pop(key)
        self._held_bytes -= len(data)
        frame = self._compressor.compress(data)
        self.written_bytes += len(frame)
        path = _path(self._folder, *key)
        with storage_errors("write", f"the scratch file {path} (--scratch chooses its folder)"), path.open("ab") as file:
            file.write(frame)


def _by_partition(answer_ids: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(partition, indices of its rows in order), for each that occurs."""
    numbers = answer_ids // IDS
    order = np.argsort(numbers, kind="stable")
    present, first = np.unique(numbers[order], return_index=True)
    if len(present):  # np.split makes one piece of nothing
        yield from zip(present.tolist(), np.split(order, first[1:]), strict=True)


def read_rows(folder: Path, kind: Kind, partition: int) -> Iterator[Posts]:
    """The rows as they were added, a frame or some more at a time."""
    held = b""
    for piece in _plain(folder, kind, partition):
        whole, separator, rest = (held + piece).rpartition(b"\n")
        held = rest
        yield posts_of(whole + separator)
    assert not held, "a spill file ends inside a row"


def read_low(folder: Path, partition: int) -> np.ndarray:
    """The ids that `add_low` was given, int64, in that order."""
    return np.frombuffer(b"".join(_plain(folder, "low", partition)), np.int64)


def _plain(folder: Path, kind: Kind, partition: int) -> Iterator[bytes]:
    path = _path(folder, kind, partition)
    if not path.exists():
        return
    with storage_errors("read", str(path)), path.open("rb", buffering=0) as file:
        stream = PlainBytes(file, "zstd")
        buffer = bytearray(_READ_BYTES)
        while count := stream.fill(memoryview(buffer)):
            yield bytes(buffer[:count])
        assert stream.problem is None, f"{path}: {stream.problem}"


def _path(folder: Path, kind: Kind, partition: int) -> Path:
    return folder / f"{kind}-{partition:09d}.zst"
