"""The attributes of a run, streamed column by column: histograms, the rows nearest to every bound, overlaps found.

Of 100 million rows only the scores are read, twice, some thousand rows at a time; ids only of the row groups that an
example lies in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dolmino_cli.errors import DataError
from dolmino_cli.pipeline.names import attributes_name
from dolmino_cli.report.figures.histogram import Histogram, Spread, Values
from dolmino_cli.report.figures.nearest import Nearest, Row
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.ledger import load_all
from dolmino_cli.shards.storage import Output, join, list_names, open_seekable
from dolmino_cli.stages.keep import Keep

_BATCH_ROWS = 1 << 17
_OWN_COLUMNS = ("id", "line", "kept", "reason")


@dataclass(frozen=True, kw_only=True)
class Boundary:
    """One bound of one decision, with the rows nearest to it on either side."""

    keep: Keep
    bound: float
    sign: str
    """`>=`, `>`, `<=` or `<`."""
    kept: Nearest
    dropped: Nearest


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a run's scores are, in the order of the columns. Empty where the run has no attributes."""

    histograms: tuple[Histogram, ...]
    boundaries: tuple[Boundary, ...]
    rows: int


class Attributes:
    """The attribute files of one run, in the order of its shards' names; `kind` of every score: int or float."""

    def __init__(self, root: str) -> None:
        self.root = root
        folder = join(root, "attributes")
        self.names = list_names(folder, ".parquet")
        self.paths = [join(folder, name) for name in self.names]

    def scores(self) -> dict[str, bool]:
        """Every score by name, and whether it is of whole numbers in all files."""
        found: dict[str, bool] = {}
        for shard in range(len(self.paths)):
            for field in self.open(shard).schema_arrow:
                if field.name not in _OWN_COLUMNS and (pa.types.is_integer(field.type) or pa.types.is_floating(field.type)):
                    found[field.name] = found.get(field.name, True) and pa.types.is_integer(field.type)
        return found

    def open(self, shard: int) -> pq.ParquetFile:
        """One file. Raises DataError when it is damaged, StorageError when it cannot be read."""
        path = self.paths[shard]
        with _reading(path):
            return pq.ParquetFile(open_seekable(path), buffer_size=1 << 20)

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[int, int, pa.RecordBatch]]:
        """(shard, row of the batch's first, batch) of all rows; a column that a file does not have is not in its batches."""
        for shard, path in enumerate(self.paths):
            file, row = self.open(shard), 0
            with _reading(path):
                for batch in file.iter_batches(_BATCH_ROWS, columns=_present(file, columns), use_threads=False):
                    yield shard, row, batch
                    row += len(batch)

    def check_whole(self, documents: int) -> None:
        """Raise DataError unless there is a row per document that the ledger counts."""
        rows = sum(self.open(shard).metadata.num_rows for shard in range(len(self.paths)))
        if rows != documents:
            wanted = {attributes_name(entry.name) for entry in load_all(Output(self.root))}
            missing = sorted(wanted - set(self.names))
            what = f"{missing[0]} and {len(missing) - 1:,} more are missing" if missing else "no file is missing"
            raise DataError(
                f"{rows:,} rows for {documents:,} documents; {what}; restore them, or delete attributes/ to report no scores",
                path=join(self.root, "attributes"),
            )

    def rows(self, wanted: Sequence[Row]) -> dict[Row, dict[str, Any]]:
        """`id`, `line`, `kept` and `reason` (where there) of a few rows, and `rank`: how many of the same fate stand before."""
        found: dict[Row, dict[str, Any]] = {}
        for shard in sorted({row.shard for row in wanted}):
            file = self.open(shard)
            columns = _present(file, _OWN_COLUMNS)
            places = sorted(row.row for row in wanted if row.shard == shard)
            first = kept_before = 0
            for group in range(file.num_row_groups):
                last = first + file.metadata.row_group(group).num_rows
                here = [place for place in places if first <= place < last]
                with _reading(self.paths[shard]):
                    kept = _kept(file, group) if "kept" in columns else None
                if here:
                    with _reading(self.paths[shard]):
                        table = file.read_row_group(group, columns=columns).take(pa.array([place - first for place in here]))
                    for place, record in zip(here, table.to_pylist(), strict=True):
                        if kept is not None:
                            before = kept_before + int(kept[: place - first].sum())
                            record["rank"] = before if record["kept"] else place - before
                        found[Row(shard, place)] = record
                kept_before += 0 if kept is None else int(kept.sum())
                first = last
                if first > places[-1]:
                    break
        return found


def measure(attributes: Attributes, keeps: Sequence[Keep], *, examples: int) -> Measured:
    """Histograms of every score, and up to `examples` rows on each side of every bound."""
    kinds = attributes.scores()
    spreads = {score: Spread(integers=integers) for score, integers in kinds.items()}
    boundaries = [boundary for keep in keeps if keep.score in kinds for boundary in _boundaries(keep, examples)]
    rows = 0
    for shard, first, batch in attributes.batches(list(kinds)):
        rows += len(batch)
        for score, spread in spreads.items():
            values, places = _values(batch, score)
            spread.add(values, len(batch) - len(values))
            for boundary in boundaries:
                if boundary.keep.score == score:
                    for side in (boundary.kept, boundary.dropped):
                        side.add(values, shard=shard, rows=first + places)
    histograms = {
        score: Histogram.of(score, [keep for keep in keeps if keep.score == score], spread) for score, spread in spreads.items()
    }
    for _, _, batch in attributes.batches(list(kinds)):
        for score, histogram in histograms.items():
            histogram.add(_values(batch, score)[0])
    for histogram in histograms.values():
        histogram.check()
    return Measured(histograms=tuple(histograms.values()), boundaries=tuple(boundaries), rows=rows)


def _boundaries(keep: Keep, most: int) -> Iterator[Boundary]:
    bounds = ((">=", keep.at_least), (">", keep.above), ("<=", keep.at_most), ("<", keep.below))
    for sign, bound in bounds:
        if bound is not None:
            above, below = (
                Nearest(bound=bound, side=side, equal_is_above=sign in (">=", "<"), most=most) for side in ("above", "below")
            )
            kept, dropped = (above, below) if sign in (">=", ">") else (below, above)
            yield Boundary(keep=keep, bound=bound, sign=sign, kept=kept, dropped=dropped)


def _values(batch: pa.RecordBatch, score: str) -> tuple[Values, npt.NDArray[np.int64]]:
    """The scores that are there, as float64 (as decisions compare them), and their rows in the batch."""
    if score not in batch.schema.names:
        return np.zeros(0), np.zeros(0, np.int64)
    column = batch.column(score)
    if column.null_count == 0:
        return column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.arange(len(column))
    places = np.flatnonzero(pc.is_valid(column).to_numpy(zero_copy_only=False))
    return column.drop_null().cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), places


def _kept(file: pq.ParquetFile, group: int) -> npt.NDArray[np.bool_]:
    kept: npt.NDArray[np.bool_] = file.read_row_group(group, columns=["kept"]).column("kept").to_numpy()
    return kept


def _present(file: pq.ParquetFile, columns: Sequence[str]) -> list[str]:
    have = set(file.schema_arrow.names)
    return [column for column in columns if column.partition(".")[0] in have]


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """Raises DataError when the file is damaged, StorageError when it cannot be read."""
    try:
        with storage_errors("read", path):
            yield
    except pa.ArrowInvalid as error:
        raise DataError(f"damaged ({error}); run the command that wrote it again", path=path) from None
