"""Encoded documents -> the files of one group: `part-GGGGG-NNNNN.npy` cut between documents, each with its `.csv.gz`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from dolmino_cli.shards.storage import Output, Pending
from dolmino_cli.tokens.arrays import ArrayFile
from dolmino_cli.tokens.encode import Encoded
from dolmino_cli.tokens.index import IndexWriter


def write_parts(
    documents: Iterable[Encoded],
    *,
    output: Output,
    group: int,
    tokens_per_file: int,
    before: Sequence[ArrayFile] = (),
    first_row: int = 0,
    full: Callable[[Sequence[ArrayFile], int], None] | None = None,
) -> list[ArrayFile]:
    """Write the group's documents in order; a file appears when it is full, or at the end.

    `before` are files that an earlier attempt has written, with the first batch's documents up to `first_row`. `full` is called
    when a file is, with all files so far and the row of the batch that the next begins with.

    A file is closed when the next document would take it over `tokens_per_file`; a longer document gets a file of its own.
    No documents, no files.
    """
    done = list(before)
    part: _Part | None = None
    try:
        for batch in documents:
            row, first_row = first_row, 0
            while row < len(batch):
                if part is None:
                    part = _Part(output, f"part-{group:05d}-{len(done):05d}")
                stop = _rows_that_fit(batch, row, tokens_per_file - part.tokens)
                if stop == row and part.tokens:
                    done.append(part.publish())
                    part = None
                    if full is not None:
                        full(done, row)
                    continue
                stop = max(stop, row + 1)
                part.write(batch, row, stop)
                row = stop
        if part is not None:
            done.append(part.publish())
            part = None
    finally:
        if part is not None:
            part.discard()
    return done


def _rows_that_fit(batch: Encoded, row: int, room: int) -> int:
    """The first row that does not fit any more when documents from `row` on fill `room` tokens."""
    return int(np.searchsorted(batch.offsets, batch.offsets[row] + room, side="right")) - 1 if room > 0 else row


class _Part:
    """One file and its index, not yet published."""

    def __init__(self, output: Output, stem: str) -> None:
        self._name = f"{stem}.npy"
        self._array: Pending = output.create(self._name)
        self._index = IndexWriter(output.create(f"{stem}.csv.gz"))
        self.tokens = self._documents = 0

    def write(self, batch: Encoded, start: int, stop: int) -> None:
        first, last = int(batch.offsets[start]), int(batch.offsets[stop])
        self._array.write(batch.ids[first:last])
        offsets = batch.offsets[start : stop + 1] - first + self.tokens
        self._index.write(offsets, batch.id[start:stop], batch.src, batch.line[start:stop])
        self.tokens += last - first
        self._documents += stop - start

    def publish(self) -> ArrayFile:
        self._array.close()
        self._index.finish()
        # The index first: whoever finds the array finds its documents.
        self._index.pending.publish()
        self._array.publish()
        return ArrayFile(
            name=self._name,
            tokens=self.tokens,
            documents=self._documents,
            bytes=self._array.bytes,
            sha256=self._array.sha256,
            index_sha256=self._index.pending.sha256,
        )

    def discard(self) -> None:
        self._array.discard()
        self._index.discard()
