"""Writing: records come out as they went in, in every format, and an empty output is a valid file."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from dolmino_cli.errors import DataError
from dolmino_cli.shards.formats import FORMATS
from dolmino_cli.shards.reading import read_batches
from dolmino_cli.shards.storage import Output
from dolmino_cli.shards.writing import DocumentWriter, joined
from tests.shards.make import line, read
from tests.shards.test_reading_jsonl import is_document_file

RECORDS = [
    b'{"id":"a","text":"one", "metadata" : {"k": 1.50}, "x":"\\u00e9" }',
    line("b", "zwei \u2028", source="s", created=None),
    line("c", ""),
]


def write(folder: Path, name: str, *records: pa.Array) -> Path:
    with Output(str(folder)).create(name) as pending:
        writer = DocumentWriter(pending, name)
        for record in records:
            writer.write(record)
        writer.finish()
        pending.publish()
    assert writer.documents == sum(len(record) for record in records)
    return folder / name


def binary(records: list[bytes]) -> pa.LargeBinaryArray:
    return pa.array(records, pa.large_binary())


def unpacked(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data)
    return zstandard.ZstdDecompressor().stream_reader(data).read() if path.suffix in (".zst", ".zstd") else data


@pytest.mark.parametrize("suffix", [suffix for suffix, kind in FORMATS.items() if kind.kind == "jsonl"])
def test_records_keep_their_bytes(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path, f"x{suffix}", binary(RECORDS[:2]), binary([]), binary(RECORDS[2:]))
    assert unpacked(path) == b"".join(record + b"\n" for record in RECORDS)
    assert [document[3] for document in read(path)[0]] == RECORDS


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_output_without_documents_is_a_valid_file(tmp_path: Path, suffix: str) -> None:
    assert read(write(tmp_path, f"never{suffix}")) == ([], [])
    assert read(write(tmp_path, f"empty{suffix}", binary([]))) == ([], [])


def test_gzip_carries_no_time_and_no_name(tmp_path: Path) -> None:
    header = write(tmp_path, "x.jsonl.gz", binary(RECORDS)).read_bytes()[:10]
    assert (header[3], header[4:8]) == (0, bytes(4))


def test_joined_of_a_slice() -> None:
    """A filtered or sliced column shares its buffers with the whole."""
    assert bytes(joined(binary(RECORDS))) == b"".join(record + b"\n" for record in RECORDS)
    assert bytes(joined(binary(RECORDS).slice(1, 1))) == RECORDS[1] + b"\n"
    assert bytes(joined(binary([]))) == b""


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=6), st.sampled_from([".jsonl.zst", ".jsonl.gz"]))
def test_the_same_documents_give_the_same_bytes_however_they_are_cut(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], suffix: str
) -> None:
    records = [line(str(i), f"text {i * i} " * (i % 90)) for i in range(300)]
    folder = tmp_path_factory.getbasetemp()
    bounds = [0, *sorted(cuts), 300]
    pieces = [binary(records[start:end]) for start, end in itertools.pairwise(bounds)]
    whole = write(folder, f"whole{suffix}", binary(records))
    assert write(folder, f"cut{suffix}", *pieces).read_bytes() == whole.read_bytes()


def test_parquet_rows_keep_their_columns(tmp_path: Path) -> None:
    table = pa.table({"id": ["a", "b"], "text": ["x", "y"], "n": [1, None], "tags": [["p"], []]})
    pq.write_table(table, tmp_path / "in.parquet")
    records = [batch.record for batch, _ in read_batches(str(tmp_path / "in.parquet"))]
    assert pq.read_table(write(tmp_path, "out.parquet", *records)).equals(table)


def test_parquet_row_groups_are_not_one_per_call(tmp_path: Path) -> None:
    rows = pa.StructArray.from_arrays([pa.array(["a"] * 10), pa.array(["x"] * 10)], ["id", "text"])
    path = write(tmp_path, "x.parquet", *[rows] * 50)
    metadata = pq.ParquetFile(path).metadata
    assert (metadata.num_rows, metadata.num_row_groups) == (500, 1)


def test_rows_of_other_columns_are_refused(tmp_path: Path) -> None:
    one, other = (pa.StructArray.from_arrays([pa.array(["a"]), pa.array(values)], ["id", "text"]) for values in (["x"], [1]))
    with pytest.raises(DataError, match=r"rows of \{'id': 'string', 'text': 'int64'\} cannot follow rows of \{'id': 'string'"):
        write(tmp_path, "x.parquet", one, other)
    assert list(tmp_path.iterdir()) == []


def test_real_documents_come_back_byte_for_byte(shared_data: Path, tmp_path: Path) -> None:
    files = sorted(path for path in shared_data.rglob("*.jsonl.*") if is_document_file(path, shared_data))
    assert len(files) >= 40
    for path in files:
        if path.suffix == ".gz" and path.stat().st_size > 500_000:
            continue  # gzip at 20 MB/s: the small ones show the same
        records = [batch.record for batch, _ in read_batches(str(path))]
        assert unpacked(write(tmp_path, path.name, *records)) == unpacked(path), path


def test_real_parquet_comes_back_row_for_row(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "web" / "18f_blog-0000.parquet"
    copy = write(tmp_path, "copy.parquet", *[batch.record for batch, _ in read_batches(str(source))])
    assert pq.read_table(copy).equals(pq.read_table(source))
