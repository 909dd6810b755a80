"""The rows beside a mix's arrays: as `tokens.index` writes a source's, but every document has a `src` of its own."""

from __future__ import annotations

import gzip
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dolmino_cli.shards.storage import Pending
from dolmino_cli.tokens.index import quoted

# A row of a mix says which source its document is of: "dclm:" and then the src of the source's own row. No name of a source
# has a colon, so the first one ends it.
SOURCE_SEPARATOR = ":"

_ROWS_AT_A_TIME = 1 << 16


def write_rows(pending: Pending, ends: np.ndarray, id: pa.LargeStringArray, src: pa.LargeStringArray, loc: pa.Int64Array) -> None:
    """All rows of one array file: document i holds tokens from ends[i - 1] (0 for the first) up to before ends[i].

    The pending file is closed, not published. Equal rows give equal bytes: no time stamp stands in the gzip header.
    """
    offsets = np.concatenate((np.zeros(1, np.int64), ends))
    with gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=cast(Any, pending), mtime=0) as file:
        for start in range(0, len(ends), _ROWS_AT_A_TIME):
            rows = slice(start, min(start + _ROWS_AT_A_TIME, len(ends)))
            columns = [offsets[:-1][rows], offsets[1:][rows], quoted(id[rows]), quoted(src[rows]), loc[rows]]
            texts = [pc.cast(pa.array(column), pa.large_string()) for column in columns]
            lines = pc.binary_join_element_wise(*texts, _text(","))
            joined = pc.binary_join_element_wise(lines, _text(""), _text("\r\n"))
            file.write(memoryview(joined.buffers()[2])[: pc.sum(pc.binary_length(joined)).as_py()])
    pending.close()


def _text(text: str) -> pa.Scalar:
    return pa.scalar(text, pa.large_string())
