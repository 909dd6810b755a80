"""Runs: what lies in scratch between ordering and gathering."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

SCHEMA = pa.schema(
    [
        ("key", pa.uint64()),  # the order key, rising
        ("file", pa.int32()),  # which of all files of the mix (`Kept.place`)
        ("offset", pa.int64()),  # where its tokens begin in it, in tokens
        ("length", pa.int64()),  # tokens
        ("id", pa.large_string()),
        ("src", pa.large_string()),  # as the source's own row has it
        ("loc", pa.int64()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Run:
    """The sorted documents of one copy: part b's lie in bytes bounds[b] to bounds[b + 1] of the file, if there are any."""

    path: Path
    source: str
    copy: int
    documents: int
    tokens: int
    bounds: np.ndarray
