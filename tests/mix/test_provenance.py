"""The documents of a part as an Arrow file: written, found by offset and by key, refused when it is something else."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from dolmino_cli.errors import DataError
from dolmino_cli.mix.provenance import SCHEMA, provenance_name, read_provenance, write_provenance
from dolmino_cli.shards.storage import Output


def documents() -> pa.RecordBatch:
    columns = {"key": [3, 7, 7], "end": [10, 15, 40], "source": [0, 1, 1], "copy": [0, 2, 2], "id": ["a", "b", "b"]}
    columns |= {"src": ["x.jsonl.zst", "y,z.parquet", "x.jsonl.zst"], "loc": [5, 1, 2]}
    return pa.RecordBatch.from_arrays([pa.array(columns[field.name], field.type) for field in SCHEMA], schema=SCHEMA)


def test_what_is_written_is_read_and_equal_rows_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with Output(str(tmp_path)).create(name) as pending:
            write_provenance(pending, documents())
            pending.publish()
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert read_provenance(str(tmp_path / "one")).equals(documents())


def test_anything_else_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / provenance_name("part-00000.npy")
    path.write_bytes(b"not arrow at all")
    with pytest.raises(DataError, match=r"part-00000\.documents\.arrow"):
        read_provenance(str(path))
