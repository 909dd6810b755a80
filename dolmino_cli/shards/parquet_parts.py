"""Which rows of a Parquet file are a part, by the sizes in its footer."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow.parquet as pq


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows [start, stop) of row group `group`, numbered within it."""

    group: int
    start: int
    stop: int


def cut(metadata: pq.FileMetaData, part_bytes: int | None) -> list[list[Rows]]:
    """The rows of each part, one part at least; None: all rows are one part.

    A row group of u uncompressed bytes is cut evenly into ceil(u / part_bytes) parts; smaller ones that follow each other go
    together into a part as long as they fit. Example: groups of 10, 20 and 250 bytes, parts of 100: [10, 20], 83, 83, 84.
    """
    parts: list[list[Rows]] = []
    room = 0
    for group in range(metadata.num_row_groups):
        found = metadata.row_group(group)
        size, rows = found.total_byte_size, found.num_rows
        if parts and (part_bytes is None or size <= room):
            parts[-1].append(Rows(group=group, start=0, stop=rows))
            room -= size
            continue
        pieces = 1 if part_bytes is None else max(1, min(-(-size // part_bytes), rows))
        bounds = [rows * i // pieces for i in range(pieces + 1)]
        parts += [[Rows(group=group, start=start, stop=stop)] for start, stop in itertools.pairwise(bounds)]
        room = part_bytes - size if part_bytes is not None and pieces == 1 else 0
    return parts or [[]]
