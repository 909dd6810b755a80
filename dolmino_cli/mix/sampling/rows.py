"""The rows beside a mix's arrays: as `tokens.index` writes a source's, but every document has a source and `src` of its own.

A row of a mix says which source its document is of: "dclm:" and then the src of the source's own row. No name of a source has
a colon, so the first one ends it.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa

from dolmino_cli.kernels.mix_rows import mix_rows
from dolmino_cli.mix.sampling.gather import Gathered
from dolmino_cli.shards.storage import Pending

_ROWS_AT_A_TIME = 1 << 16


def write_rows(pending: Pending, ends: np.ndarray, gathered: Gathered, sources: Sequence[str]) -> None:
    """All rows of one array file: document i holds tokens from ends[i - 1] (0 for the first) up to before ends[i].

    The pending file is closed, not published. Equal rows give equal bytes: no name and no time stand in the gzip header.
    """
    bounds, names = np.concatenate((np.zeros(1, np.int64), ends)), pa.array(sources, pa.large_string())
    loc = gathered.loc.to_numpy()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=cast(Any, pending), mtime=0) as file:
        for start in range(0, len(ends), _ROWS_AT_A_TIME):
            rows = slice(start, min(start + _ROWS_AT_A_TIME, len(ends)))
            texts = gathered.id[rows], gathered.source[rows], names, gathered.src[rows], loc[rows]
            file.write(mix_rows(bounds[rows.start : rows.stop + 1], *texts).data)
    pending.close()
