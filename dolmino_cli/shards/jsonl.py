"""JSONL -> batches: a block of lines is decoded in one call; line by line only where something is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

import msgspec
import numpy as np
import pyarrow as pa

from dolmino_cli.buffers import number_column
from dolmino_cli.documents import Batch
from dolmino_cli.errors import DataError
from dolmino_cli.shards.compression import PlainBytes
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.faults import MOST_LEVELS, Document, Quarantined, fault, nested_too_deeply, parsed
from dolmino_cli.shards.formats import format_of
from dolmino_cli.shards.json_columns import Columns, columns_of, decode
from dolmino_cli.shards.lines import LineReader, Lines
from dolmino_cli.shards.read_options import ReadOptions
from dolmino_cli.shards.rows import RowLayout, as_document
from dolmino_cli.shards.storage import open_bytes

_COUNT_BYTES = 1 << 20


def read(path: str, options: ReadOptions) -> Iterator[tuple[Batch, list[Quarantined]]]:
    """As `reading.read_batches`, of one JSONL file."""
    with JsonlParts(path, options, None) as parts:
        yield from parts.read()


class JsonlParts:
    """As `parts.Parts`: part k is the lines that begin in plain bytes [k * part_bytes, (k + 1) * part_bytes)."""

    def __init__(self, path: str, options: ReadOptions, part_bytes: int | None) -> None:
        self.path, self._options, self._part_bytes = path, options, part_bytes
        self.number = 0
        self._source: BinaryIO = open_bytes(path)
        self._stream = PlainBytes(self._source, format_of(path).compression)
        self._reader = LineReader(self._stream, options.batch_bytes, options.max_document_bytes)

    def __enter__(self) -> JsonlParts:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()

    @property
    def lines(self) -> int:
        """As `Parts.lines`."""
        return self._reader.lines

    @property
    def is_last(self) -> bool:
        """As `Parts.is_last`."""
        with storage_errors("read", self.path):
            return self._reader.at_end

    def go_to(self, number: int) -> bool:
        """As `Parts.go_to`."""
        if number == 0:
            return True
        assert self._part_bytes is not None, "a shard read whole has one part"
        self.number = number
        with storage_errors("read", self.path):
            self._reader.skip_to(number * self._part_bytes)
            return not self._reader.at_end

    def read(self) -> Iterator[tuple[Batch, list[Quarantined]]]:
        """As `Parts.read`."""
        most_bytes = self._options.max_document_bytes
        lines = self._reader.blocks(None if self._part_bytes is None else (self.number + 1) * self._part_bytes)
        while True:
            with storage_errors("read", self.path):
                block = next(lines, None)
            if block is None:
                return
            batch, quarantined = self._decoded(block)
            if quarantined and self._options.on_error == "fail":
                worst = quarantined[0]
                raise DataError(worst.reason, path=self.path, line=worst.line + self.lines_before())
            if block.too_large:
                quarantined = sorted(quarantined + _large(block, most_bytes), key=lambda one: one.line)
            if len(batch) or quarantined:
                yield batch, quarantined

    def _decoded(self, block: Lines) -> tuple[Batch, list[Quarantined]]:
        records = self._options.records
        columns, chosen = _fast(block)
        if columns is not None and not _any_too_deep(block, chosen, columns.written_bytes):
            return _batch(self.path, block, columns, chosen, records), []
        documents, chosen, quarantined, written = _line_by_line(block, self._stream.problem, self._options.rows)
        batch = _batch(self.path, block, columns_of(documents), chosen, False)
        return (replace(batch, record=pa.array(written, pa.large_binary())) if records else batch), quarantined

    def lines_before(self) -> int:
        """As `Parts.lines_before`: counted anew, as only a message needs it."""
        if self.number == 0 or self._part_bytes is None:
            return 0
        with open_bytes(self.path) as source:
            stream = PlainBytes(source, format_of(self.path).compression)
            reader = LineReader(stream, _COUNT_BYTES, self._options.max_document_bytes)
            for _ in reader.blocks(self.number * self._part_bytes):
                pass
            return reader.lines


def _fast(block: Lines) -> tuple[Columns | None, np.ndarray]:
    """The documents of a block without faults and the lines they stand on; None where each line must be looked at.

    Every line that is not empty begins with { and ends with }, so no value goes on across a newline (after } another
    { cannot follow within JSON) and as many objects as lines means one on each.
    """
    chosen = np.flatnonzero(block.ends > block.starts)
    buffer, starts, ends = block.buffer, block.starts[chosen], block.ends[chosen]
    looked_at = block.unfinished or block.too_large
    if not len(chosen) or looked_at or not ((buffer[starts] == ord("{")) & (buffer[ends - 1] == ord("}"))).all():
        return None, chosen
    whole = buffer[: int(block.ends[-1])]
    try:
        # The decoder skips over strings that it does not make without looking at their UTF-8.
        _binary(whole, np.array([0, len(whole)])).cast(pa.large_string())
        columns = decode(whole.data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, pa.ArrowInvalid):
        return None, chosen
    return (columns if len(columns) == len(chosen) else None), chosen


def _any_too_deep(block: Lines, chosen: np.ndarray, text_bytes: np.ndarray) -> bool:
    """Is a line nested too deeply? Only those are looked at that have room for so many brackets beside their text: few have."""
    starts, ends = block.starts[chosen], block.ends[chosen]
    roomy = np.flatnonzero(ends - starts - text_bytes > 2 * MOST_LEVELS)
    return any(nested_too_deeply(block.buffer[starts[line] : ends[line]].tobytes()) for line in roomy.tolist())


def _large(block: Lines, most_bytes: int) -> list[Quarantined]:
    """The lines that were too large to read; one that the stream broke in is set aside for that."""
    broken = len(block.starts) - 1 if block.unfinished else None
    return [
        Quarantined(line=block.first + i, reason=one.reason(most_bytes), record=b"")
        for i, one in block.too_large.items()
        if i != broken
    ]


def _line_by_line(
    block: Lines, problem: str | None, layouts: Sequence[RowLayout]
) -> tuple[list[Document], np.ndarray, list[Quarantined], list[bytes]]:
    """The documents of a block, the lines they stand on, what is set aside, and the JSON of each document."""
    documents, chosen, quarantined, written = [], [], [], []
    last = len(block.starts) - 1
    for i, (start, end) in enumerate(zip(block.starts.tolist(), block.ends.tolist(), strict=True)):
        line = block.buffer[start:end].tobytes()
        found = str(problem) if block.unfinished and i == last else _document(line, layouts) if line.strip() else None
        if isinstance(found, str):
            quarantined.append(Quarantined(line=block.first + i, reason=found, record=line))
        elif found is not None:
            json, id, text = found
            written.append(json)
            documents.append(Document(id=id, text=text))
            chosen.append(i)
    return documents, np.array(chosen, np.int64), quarantined, written


def _document(line: bytes, layouts: Sequence[RowLayout]) -> tuple[bytes, str, str] | str:
    """JSON, id and text of the document on a line; or, in words, why it is none."""
    if layouts:
        return as_document(line, layouts)
    reason = fault(line)
    if reason is not None:
        return reason
    document = parsed(line)
    return line, document.id, document.text


def _batch(path: str, block: Lines, columns: Columns, chosen: np.ndarray, records: bool) -> Batch:
    return Batch(
        shard=path,
        id=columns.id,
        text=columns.text,
        record=_records(block, chosen) if records else pa.nulls(len(chosen)),
        line=number_column(chosen + block.first),
    )


def _records(block: Lines, chosen: np.ndarray) -> pa.LargeBinaryArray:
    """The chosen lines, copied out of the block's buffer.

    Arrow wants values back to back, so what stands between two lines becomes a value as well: [line, gap, line, gap];
    then the lines are filtered out, at memory speed and without a Python object each.
    """
    if not len(chosen):
        return pa.array([], pa.large_binary())
    starts, ends = block.starts[chosen], block.ends[chosen]
    offsets = np.empty(2 * len(chosen) + 1, np.int64)
    offsets[0:-1:2], offsets[1::2], offsets[-1] = starts, ends, ends[-1]
    is_line = np.tile([True, False], len(chosen))
    return _binary(block.buffer, offsets).filter(pa.array(is_line))


def _binary(buffer: np.ndarray, offsets: np.ndarray) -> pa.LargeBinaryArray:
    buffers = [None, pa.py_buffer(offsets.astype(np.int64)), pa.py_buffer(buffer)]
    return pa.Array.from_buffers(pa.large_binary(), len(offsets) - 1, buffers)
