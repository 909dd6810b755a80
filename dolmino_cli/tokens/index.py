"""The rows beside an array, as dolma writes them: `start,end,id,src,loc` in a `.csv.gz`, one row per document, no header.

`start` and `end` (exclusive) count tokens within the file; `src` is the shard's name, `loc` the document's 1-based line in it.
The dialect is that of Python's csv module: lines end in CRLF, a field with a comma, quote or line end stands in quotes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from dolmino_cli.buffers import number_column, text_buffers
from dolmino_cli.errors import DataError
from dolmino_cli.shards.storage import Pending, open_bytes

SCHEMA = pa.schema(
    [("start", pa.int64()), ("end", pa.int64()), ("id", pa.large_string()), ("src", pa.large_string()), ("loc", pa.int64())]
)
_QUOTE, _NOTHING, _COMMA, _LINE_END = (pa.scalar(text, pa.large_string()) for text in ('"', "", ",", "\r\n"))
_BLOCK_BYTES = 4 << 20


class IndexWriter:
    """Writes rows to a pending file, lightly compressed (level 1) and with no time stamp: equal rows give equal bytes."""

    def __init__(self, pending: Pending) -> None:
        self.pending = pending
        self._gzip = zlib.compressobj(1, wbits=31)  # 31: a gzip frame, with no name and no time in its header

    def write(self, offsets: npt.NDArray[np.int64], id: pa.LargeStringArray, src: str, loc: pa.Int64Array) -> None:
        """Add documents of one shard: document i holds tokens `offsets[i]` to `offsets[i + 1]` of the file."""
        self.pending.write(self._gzip.compress(csv_rows(offsets, id, src, loc)))

    def finish(self) -> None:
        """End the stream; the pending file is closed, not published."""
        self.pending.write(self._gzip.flush())
        self.pending.close()

    def discard(self) -> None:
        """Forget what was written."""
        self.pending.discard()


def csv_rows(offsets: npt.NDArray[np.int64], id: pa.LargeStringArray, src: str, loc: pa.Int64Array) -> memoryview:
    """The rows as UTF-8 bytes, the same as csv.writer would write, without a Python object per row."""
    bounds, line = (pc.cast(column, pa.large_string()) for column in (number_column(offsets), loc))
    start, end = bounds[:-1], bounds[1:]
    tail = pc.binary_join_element_wise(line, _LINE_END, _NOTHING)
    quoted_src = quoted(pa.array([src], pa.large_string()))[0]
    rows = pc.binary_join_element_wise(start, end, quoted(id), quoted_src, tail, _COMMA)
    return memoryview(rows.buffers()[2])[: pc.sum(pc.binary_length(rows)).as_py() or 0]


def quoted(fields: pa.LargeStringArray) -> pa.LargeStringArray:
    """In quotes where Python's csv module would put them."""
    data, offsets = text_buffers(fields)
    written = data[offsets[0] : offsets[-1]].tobytes()
    if not any(character in written for character in b'",\r\n'):  # as nearly always: looking at all at once costs next to nothing
        return fields
    needs_quotes = pc.match_substring_regex(fields, '[",\r\n]')
    doubled = pc.replace_substring(fields, pattern='"', replacement='""')
    return pc.if_else(needs_quotes, pc.binary_join_element_wise(_QUOTE, doubled, _QUOTE, _NOTHING), fields)


def read_index(path: str) -> Iterator[pa.RecordBatch]:
    """The rows of a `.csv.gz`, some MB at a time, with the columns of `SCHEMA`. Raises DataError for what is no such file."""
    with open_bytes(path) as raw:
        yield from parse_index(raw, path)


def parse_index(raw: BinaryIO, path: str) -> Iterator[pa.RecordBatch]:
    """As `read_index`, of a stream that the caller opened and closes; `path` is what an error names."""
    try:
        yield from pa.csv.open_csv(
            pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "gzip"),
            read_options=pa.csv.ReadOptions(column_names=SCHEMA.names, block_size=_BLOCK_BYTES, use_threads=False),
            parse_options=pa.csv.ParseOptions(newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(column_types=SCHEMA, null_values=[], strings_can_be_null=False),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise DataError(f"not an index of token rows: {error}", path=path) from None
