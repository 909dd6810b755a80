"""Scores of an earlier run, read beside the documents they belong to: same number of rows, same ids, or it fails."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dolmino_cli.documents import Batch
from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.pipeline.names import attributes_name
from dolmino_cli.recipe import Recipe, stage_name
from dolmino_cli.shards.storage import Output, fetch, join


class ExistingScores:
    """The attributes of one shard, handed out batch by batch.

    dolma's mixer lets documents pass when their attribute file is missing or short; here every document needs its row.
    """

    def __init__(self, root: str, shard_name: str, scores: tuple[str, ...]) -> None:
        self.path = join(root, "attributes", attributes_name(shard_name))
        self._scores = scores
        self._file = pq.ParquetFile(fetch(self.path), memory_map=True)
        missing = [score for score in ("id", *scores) if score not in self._file.schema_arrow.names]
        if missing:
            have = ", ".join(self._file.schema_arrow.names)
            raise DataError(f"no column {missing[0]!r}; the file has: {have}", path=self.path)
        self._batches: Iterator[pa.RecordBatch] = self._file.iter_batches(batch_size=8192, columns=["id", *scores])
        self._held = pa.schema([self._file.schema_arrow.field(name) for name in ("id", *scores)]).empty_table()
        self._row = self._lines = 0

    def take(self, batch: Batch) -> dict[str, pa.Array]:
        """One score column entry per document of `batch`. Raises DataError where rows and documents part."""
        wanted = len(batch)
        while len(self._held) < wanted:
            following = next(self._batches, None)
            if following is None:
                last = self._lines + batch.line[-1].as_py()
                raise DataError(
                    f"{self._row + len(self._held)} rows, but {batch.shard} has more documents (at line {last}); "
                    "score the shard again",
                    path=self.path,
                )
            self._held = pa.concat_tables([self._held, pa.Table.from_batches([following])])
        table = self._held.slice(0, wanted).combine_chunks()
        self._held = self._held.slice(wanted)
        columns = {name: _chunk(table.column(name)) for name in table.column_names}
        same = pc.equal(columns.pop("id").cast(pa.large_string()), batch.id)
        if not pc.all(same).as_py():
            at = pc.index(same, False).as_py()
            raise DataError(
                f"row {self._row + at + 1} is of document {table.column('id')[at].as_py()!r}, but line "
                f"{self._lines + batch.line[at].as_py()} of {batch.shard} is {batch.id[at].as_py()!r}; score the shard again",
                path=self.path,
            )
        self._row += wanted
        return columns

    def skip(self, rows: int, *, lines: int) -> None:
        """Pass over the rows of documents that were decided before, on so many lines. To be called first."""
        self._lines = lines
        while rows > len(self._held):
            rows -= len(self._held)
            self._row += len(self._held)
            following = next(self._batches, None)
            if following is None:
                return  # `take` says that rows are missing
            self._held = pa.Table.from_batches([following])
        self._held = self._held.slice(rows)
        self._row += rows

    def finish(self, shard: str) -> None:
        """Call after the last batch. Raises DataError when rows are left over."""
        left = len(self._held) + sum(len(batch) for batch in self._batches)
        if left:
            raise DataError(f"{left} more rows than {shard} has documents; score the shard again", path=self.path)


def check_same_measures(root: str, recipe: Recipe) -> dict[str, dict[str, str]]:
    """That the scores in `root` were made by the recipe's own measures; returns what those had loaded.

    Raises ConfigError naming the parameter that differs.
    """
    summary = Output(root).read("run.json")
    if summary is None:
        raise ConfigError(f"--scores {root}: no run.json there; give the output folder of `dolmino score` or `dolmino filter`")
    run: dict[str, Any] = json.loads(summary)
    made = {
        parameters["into"]: {name: parameters}
        for stage in run["recipe"]["stages"]
        for name, parameters in stage.items()
        if "into" in parameters
    }
    for measure in recipe.measures:
        earlier = made.get(measure.into)
        if earlier is None:
            raise ConfigError(f"--scores {root}: has no score {measure.into!r}; it has: {', '.join(made) or 'none'}")
        name = stage_name(measure)
        now = json.loads(json.dumps({name: dataclasses.asdict(cast(Any, measure))}))
        if earlier != now:
            old, new = earlier.get(name, {}), now[name]
            changed = [f"{key} was {old.get(key)!r}, is {value!r}" for key, value in new.items() if old.get(key) != value]
            raise ConfigError(
                f"--scores {root}: {measure.into!r} was measured otherwise ({'; '.join(changed)}); run `dolmino score` again"
            )
    loaded: dict[str, dict[str, str]] = {measure.into: run["loaded"].get(measure.into, {}) for measure in recipe.measures}
    return loaded


def _chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
