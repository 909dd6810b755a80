"""JSONL -> batches: a block of lines is decoded in one call; line by line only where something is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import msgspec
import numpy as np
import pyarrow as pa

from dolmino_cli.documents import Batch
from dolmino_cli.errors import DataError
from dolmino_cli.shards.compression import PlainBytes
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.faults import DECODER, Document, OnError, Quarantined, fault
from dolmino_cli.shards.formats import format_of
from dolmino_cli.shards.lines import Lines, blocks
from dolmino_cli.shards.rows import RowLayout, as_document
from dolmino_cli.shards.storage import open_bytes


def read(
    path: str, *, on_error: OnError, batch_bytes: int, records: bool = True, rows: Sequence[RowLayout] = ()
) -> Iterator[tuple[Batch, list[Quarantined]]]:
    """As `reading.read_batches`, of one JSONL file."""
    with open_bytes(path) as source:
        stream = PlainBytes(source, format_of(path).compression)
        lines = blocks(stream, batch_bytes)
        while True:
            with storage_errors("read", path):
                block = next(lines, None)
            if block is None:
                return
            documents, chosen = _fast(block)
            quarantined: list[Quarantined] = []
            written: list[bytes] | None = None
            if documents is None:
                documents, chosen, quarantined, written = _line_by_line(block, stream.problem, rows)
            if quarantined and on_error == "fail":
                worst = quarantined[0]
                raise DataError(worst.reason, path=path, line=worst.line)
            if documents or quarantined:
                batch = _batch(path, block, documents, chosen, records and written is None)
                if records and written is not None:
                    batch = replace(batch, record=pa.array(written, pa.large_binary()))
                yield batch, quarantined


def _fast(block: Lines) -> tuple[list[Document] | None, np.ndarray]:
    """The documents of a block without faults and the lines they stand on; None where each line must be looked at.

    Every line that is not empty begins with { and ends with }, so no value goes on across a newline (after } another
    { cannot follow within JSON) and as many objects as lines means one on each.
    """
    chosen = np.flatnonzero(block.ends > block.starts)
    buffer, starts, ends = block.buffer, block.starts[chosen], block.ends[chosen]
    if not len(chosen) or block.unfinished or not ((buffer[starts] == ord("{")) & (buffer[ends - 1] == ord("}"))).all():
        return None, chosen
    whole = buffer[: int(block.ends[-1])]
    try:
        documents = DECODER.decode_lines(whole.data)
        # The decoder skips over strings it does not need without looking at their UTF-8.
        _binary(whole, np.array([0, len(whole)])).cast(pa.large_string())
    except (msgspec.MsgspecError, UnicodeError, RecursionError, pa.ArrowInvalid):
        return None, chosen
    return (documents if len(documents) == len(chosen) else None), chosen


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
    document = DECODER.decode(line)
    return line, document.id, document.text


def _batch(path: str, block: Lines, documents: list[Document], chosen: np.ndarray, records: bool) -> Batch:
    return Batch(
        shard=path,
        id=pa.array([document.id for document in documents], pa.large_string()),
        text=pa.array([document.text for document in documents], pa.large_string()),
        record=_records(block, chosen) if records else pa.nulls(len(chosen)),
        line=pa.array(chosen + block.first, pa.int64()),
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
