"""Parquet: rows in order as struct records; nulls, wrong columns and damage are faults by row."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dolmino_cli.errors import DataError, StorageError
from dolmino_cli.shards.reading import Quarantined, read_batches
from tests.shards.make import read


def write(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


STRING_TYPES = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]


@pytest.mark.parametrize("kind", STRING_TYPES, ids=str)
def test_rows_of_every_string_type(tmp_path: Path, kind: pa.DataType) -> None:
    rows = [{"id": "a", "text": "one", "n": 1}, {"id": "b", "text": "zwei", "n": None}]
    table = {"id": pa.array(["a", "b"], kind), "text": pa.array(["one", "zwei"], kind), "n": [1, None]}
    path = write(tmp_path / "x.parquet", table)
    assert read(path) == ([(1, "a", "one", rows[0]), (2, "b", "zwei", rows[1])], [])


@pytest.mark.parametrize("kind", [pa.string_view(), pa.binary_view()], ids=str)
def test_views_can_be_filtered_at_any_depth(tmp_path: Path, kind: pa.DataType) -> None:
    """A null among the rows, or a decision later: Arrow has no filter for views."""
    value = "v" if kind == pa.string_view() else b"v"
    nested = [{"a": [value, None], "b": {"c": value}, "d": [(value, value)]}, None, {"a": [], "b": None, "d": None}]
    members = [("a", pa.list_(kind)), ("b", pa.struct([("c", kind)])), ("d", pa.map_(kind, kind))]
    table = {
        "id": pa.array(["a", "b", "c"], pa.string_view()),
        "text": pa.array(["one", None, "three"], pa.string_view()),
        "plain": pa.array([value, value, None], kind),
        "nested": pa.array(nested, pa.struct(members)),
    }
    path = write(tmp_path / "x.parquet", table)
    rows = [{"id": "a", "text": "one", "plain": value, "nested": nested[0]}]
    rows += [{"id": "c", "text": "three", "plain": None, "nested": nested[2]}]
    (batch, aside), *_ = read_batches(str(path), on_error="quarantine")
    assert (batch.record.to_pylist(), [one.line for one in aside]) == (rows, [2])
    assert batch.where(np.array([False, True])).record.to_pylist() == rows[1:]


def test_batches_follow_bytes_not_rows(tmp_path: Path) -> None:
    texts = [f"{i} " * 500 for i in range(1000)]
    path = write(tmp_path / "x.parquet", {"id": [str(i) for i in range(1000)], "text": texts}, row_group_size=400)
    batches = [batch for batch, _ in read_batches(str(path), batch_bytes=50_000)]
    assert max(batch.text.nbytes for batch in batches) < 150_000
    assert [text for batch in batches for text in batch.text.to_pylist()] == texts
    assert [number for batch in batches for number in batch.line.to_pylist()] == list(range(1, 1001))


def test_dictionary_pages_do_not_make_huge_batches(tmp_path: Path) -> None:
    """1,000 rows of one 100 KB text take a few KB in the file."""
    path = write(tmp_path / "x.parquet", {"id": [str(i) for i in range(1000)], "text": ["x" * 100_000] * 1000})
    batches = [len(batch) for batch, _ in read_batches(str(path), batch_bytes=1_000_000)]
    assert sum(batches) == 1000
    assert max(batches) <= 30


PEAK = """
import sys
import pyarrow as pa
from dolmino_cli.shards.reading import read_batches
documents = sum(len(batch) for batch, _ in read_batches(sys.argv[1], batch_bytes=500_000))
print(documents, pa.default_memory_pool().max_memory() // 1_000_000)
"""


def test_memory_does_not_grow_with_the_row_group(tmp_path: Path) -> None:
    """One row group of 40 MB that does not compress."""
    texts = [random.Random(i).randbytes(2000).hex() for i in range(10_000)]
    path = write(tmp_path / "x.parquet", {"id": ["a"] * 10_000, "text": texts}, compression="none", use_dictionary=False)
    assert pq.ParquetFile(path).num_row_groups == 1
    answer = subprocess.run([sys.executable, "-c", PEAK, path], capture_output=True, text=True, check=True)
    documents, peak_mb = map(int, answer.stdout.split())
    assert documents == 10_000
    assert peak_mb < 20


def test_nulls_are_faults_by_row(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", {"id": ["a", None, "c", "d"], "text": ["x", "y", None, "z"], "n": [1, 2, 3, 4]})
    documents, aside = read(path, "quarantine")
    assert documents == [(1, "a", "x", {"id": "a", "text": "x", "n": 1}), (4, "d", "z", {"id": "d", "text": "z", "n": 4})]
    assert aside == [
        Quarantined(line=2, reason="`id` is null", record=b'{"text":"y","n":2}'),
        Quarantined(line=3, reason="`text` is null", record=b'{"id":"c","n":3}'),
    ]
    with pytest.raises(DataError) as failure:
        read(path)
    assert str(failure.value) == f"{path}:2: `id` is null"


def test_row_numbers_go_on_across_batches(tmp_path: Path) -> None:
    texts: list[str | None] = ["x" * 100] * 300
    texts[250] = None
    path = write(tmp_path / "x.parquet", {"id": [str(i) for i in range(300)], "text": texts}, row_group_size=100)
    documents, aside = read(path, "quarantine", batch_bytes=1000)
    assert [document[0] for document in documents] == [i for i in range(1, 301) if i != 251]
    assert [(one.line, one.reason) for one in aside] == [(251, "`text` is null")]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"id": ["a"], "body": ["x"]}, "no column `text`; columns: id, body"),
        ({"id": [7], "text": ["x"]}, "column `id` must be of strings, is int64"),
        ({"id": ["a"], "text": [b"x"]}, "column `text` must be of strings, is binary"),
    ],
)
def test_wrong_columns(tmp_path: Path, columns: dict[str, Any], reason: str) -> None:
    path = write(tmp_path / "x.parquet", columns)
    with pytest.raises(DataError) as failure:
        read(path)
    assert str(failure.value) == f"{path}:1: {reason}"
    documents, aside = read(path, "quarantine")
    assert (documents, [(one.line, one.reason) for one in aside]) == ([], [(1, reason)])
    if columns["text" if "text" in columns else "body"] == ["x"]:
        assert json.loads(aside[0].record) == {name: values[0] for name, values in columns.items()}


def test_invalid_utf8(tmp_path: Path) -> None:
    """The file format does not check it, so we do."""
    data = pa.array([b"good", b"bad \xff", b"good"]).cast(pa.binary())
    text = pa.Array.from_buffers(pa.string(), 3, data.buffers())
    path = write(tmp_path / "x.parquet", {"id": ["a", "b", "c"], "text": text})
    documents, aside = read(path, "quarantine")
    assert [document[1] for document in documents] == ["a", "c"]
    assert aside == [Quarantined(line=2, reason="invalid UTF-8 in `text`", record=b"bad \xff b")]


def test_no_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "x.parquet", {"id": pa.array([], pa.string()), "text": pa.array([], pa.string())})
    assert read(path) == ([], [])


@pytest.mark.parametrize("keep_bytes", [0, 3, 400])
def test_a_cut_or_foreign_file(tmp_path: Path, keep_bytes: int) -> None:
    path = write(tmp_path / "x.parquet", {"id": ["a"], "text": ["x"]})
    path.write_bytes(path.read_bytes()[:keep_bytes])
    with pytest.raises(DataError, match=r"x\.parquet: truncated or corrupt Parquet: "):
        read(path)
    documents, aside = read(path, "quarantine")
    assert (documents, [(one.line, one.record) for one in aside]) == ([], [(1, b"")])


def test_damaged_pages_keep_the_row_groups_before(tmp_path: Path) -> None:
    columns = {"id": [str(i) for i in range(200)], "text": [f"text {i} " * 50 for i in range(200)]}
    path = write(tmp_path / "x.parquet", columns, row_group_size=100, compression="zstd", use_dictionary=False)
    data = bytearray(path.read_bytes())
    start = pq.ParquetFile(path).metadata.row_group(1).column(1).data_page_offset
    data[start : start + 200] = b"\xff" * 200
    path.write_bytes(data)
    documents, aside = read(path, "quarantine")
    assert [document[0] for document in documents] == list(range(1, 101))
    assert [(one.line, one.record) for one in aside] == [(101, b"")]
    assert aside[0].reason.startswith("truncated or corrupt Parquet: ")
    with pytest.raises(DataError, match=r"x\.parquet:101: truncated or corrupt Parquet"):
        read(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"^cannot read .*x\.parquet: there is no such file$"):
        read(tmp_path / "x.parquet")
