"""One record of a shard by its line, of every format, from the first to the last; what is not there is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from dolmino_cli.errors import DataError
from dolmino_cli.shards import one_record
from dolmino_cli.shards.one_record import read_record, read_row
from tests.s3_server import S3Server

LINES = [json.dumps({"id": f"d{n}", "text": "x" * n}).encode() for n in range(50)]
PACKED = {
    "a.jsonl": b"\n".join(LINES),
    "a.jsonl.gz": gzip.compress(b"\r\n".join(LINES) + b"\r\n"),
    "a.jsonl.zst": zstandard.compress(b"\n".join(LINES) + b"\n"),
}


@pytest.mark.parametrize("name", PACKED)
def test_every_line_of_a_jsonl_shard(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_record, "_BLOCK_BYTES", 64)
    path = tmp_path / name
    path.write_bytes(PACKED[name])
    assert [read_record(str(path), line + 1) for line in range(50)] == LINES
    with pytest.raises(DataError, match="has 50 lines, not 51"):
        read_record(str(path), 51)


def test_a_cut_shard_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(PACKED["a.jsonl.gz"][:-30])
    with pytest.raises(DataError, match="truncated"):
        read_record(str(path), 60)


def parquet(path: Path) -> Path:
    kept = [n % 3 != 1 for n in range(50)]
    table = pa.table({"id": [f"d{n}" for n in range(50)], "text": ["x" * n for n in range(50)], "kept": kept})
    pq.write_table(table, path, row_group_size=7)
    return path


def test_rows_of_a_parquet_file_and_the_kth_of_those_chosen(tmp_path: Path, s3: S3Server) -> None:
    parquet(tmp_path / "a.parquet")
    s3.file("a.parquet").write_bytes((tmp_path / "a.parquet").read_bytes())
    kept = [n for n in range(50) if n % 3 != 1]
    for path in (str(tmp_path / "a.parquet"), s3.uri("a.parquet")):
        for row in (1, 7, 8, 50):
            record = {"id": f"d{row - 1}", "text": "x" * (row - 1), "kept": (row - 1) % 3 != 1}
            assert json.loads(read_record(path, row)) == record
        for place in (0, 4, 5, len(kept) - 1):
            assert read_row(path, place + 1, where="kept").to_pylist()[0]["id"] == f"d{kept[place]}"
    with pytest.raises(DataError, match="has 50 rows, not 51"):
        read_row(str(tmp_path / "a.parquet"), 51)
    with pytest.raises(DataError, match=f"has {len(kept)} rows with kept, not {len(kept) + 1}"):
        read_row(str(tmp_path / "a.parquet"), len(kept) + 1, where="kept")
    with pytest.raises(DataError, match="no column 'taken'; the file has: id, text, kept"):
        read_row(str(tmp_path / "a.parquet"), 1, where="taken")


def test_what_is_no_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="truncated or corrupt Parquet"):
        read_row(str(tmp_path / "a.parquet"), 1)
