"""The rows beside an array are what Python's csv module would write, and come back as they were."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dolmino_cli.errors import DataError
from dolmino_cli.shards.storage import Output
from dolmino_cli.tokens.index import SCHEMA, IndexWriter, csv_rows, read_index

TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('",\r\n'), max_size=12)


def rows(offsets: list[int], id: list[str], src: str, loc: list[int]) -> bytes:
    return bytes(csv_rows(np.array(offsets, np.int64), pa.array(id, pa.large_string()), src, pa.array(loc, pa.int64())))


def test_rows() -> None:
    given_rows = rows([0, 5, 5, 12], ["plain", 'a "b", c', "two\nlines"], "web/a,b.jsonl.zst", [1, 2, 40])
    assert given_rows == (
        b'0,5,plain,"web/a,b.jsonl.zst",1\r\n'
        b'5,5,"a ""b"", c","web/a,b.jsonl.zst",2\r\n'
        b'5,12,"two\nlines","web/a,b.jsonl.zst",40\r\n'
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=5), TEXT)
@example(["\r"], "\n")
def test_rows_are_those_of_the_csv_module(ids: list[str], src: str) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerows([10 + i, 11 + i, id, src, i + 1] for i, id in enumerate(ids))
    offsets = list(range(10, 11 + len(ids)))
    assert rows(offsets, ids, src, list(range(1, len(ids) + 1))).decode() == written.getvalue()
    sliced = pa.array(["x", *ids, "y"], pa.large_string())[1:-1]
    assert bytes(csv_rows(np.array(offsets), sliced, src, pa.array(range(1, len(ids) + 1)))).decode() == written.getvalue()


def test_files_come_back_as_written_with_no_time_in_them(tmp_path: Path) -> None:
    columns = {
        "start": [0, 3, 4],
        "end": [3, 4, 9],
        "id": ["", 'q"uote, and\r\nlines', "NA"],
        "src": ["a.jsonl", "a.jsonl", "b\u2028.jsonl"],
        "loc": [1, 2, 1],
    }
    contents = []
    for name in ("x.csv.gz", "y.csv.gz"):
        index = IndexWriter(Output(str(tmp_path)).create(name))
        index.write(np.array([0, 3, 4]), pa.array(columns["id"][:2], pa.large_string()), "a.jsonl", pa.array([1, 2]))
        index.write(np.array([4, 9]), pa.array(columns["id"][2:], pa.large_string()), "b\u2028.jsonl", pa.array([1]))
        index.finish()
        index.pending.publish()
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1] and contents[0][:8] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00"
    read = pa.Table.from_batches(read_index(str(tmp_path / "x.csv.gz")))
    assert read.schema == SCHEMA and read.to_pydict() == columns
    with gzip.open(tmp_path / "x.csv.gz", "rt", newline="") as file:
        assert [row[2] for row in csv.reader(file)] == columns["id"]


@pytest.mark.parametrize(
    "content",
    [b"not gzip", gzip.compress(b"1,2,3\r\n"), gzip.compress(b"a,b,c,d,e\r\n"), gzip.compress(b"")[:-6]],
    ids=["not gzip", "three columns", "no numbers", "truncated"],  # gzip notes the time: as ids, two workers' would differ
)
def test_what_is_no_index_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"bad.csv.gz: not an index of token rows"):
        list(read_index(str(path)))
