"""JSONL <-> Parquet: nothing but layout and nulls changes, and JSON values keep their bytes."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pyarrow as pa
import pytest

from dolmino_cli.errors import DataError
from dolmino_cli.shards.conversion import to_columns, to_json_lines
from dolmino_cli.shards.reading import read_batches
from tests.shards.make import read
from tests.shards.test_reading_jsonl import is_document_file
from tests.shards.test_writing import binary, write

FULL = (
    b'{"id":"a","text":"one \\u00e9","source":"s","added":"d","created":"e",'
    b'"metadata":{ "k" : 1.50, "n":12345678901234567890123},"stars":[1, 2.0],"url":"\\u0041"}'
)
BARE = b'{"id":"b","text":"\\"two\\""}'
ODD = b'{"id":"c","text":"x","created":1700000000,"extra":{"a":1}}'
NULLS = b'{"id":"d","text":"x","source":null,"metadata":null,"created":null,"more":null}'


def test_json_to_columns() -> None:
    assert to_columns(binary([FULL, BARE, ODD, NULLS])).to_pylist() == [
        {
            "id": "a",
            "text": "one \u00e9",
            "source": "s",
            "added": "d",
            "created": "e",
            "metadata": '{ "k" : 1.50, "n":12345678901234567890123}',
            "extra": '{"stars":[1, 2.0],"url":"\\u0041"}',
        },
        dict(id="b", text='"two"', source=None, added=None, created=None, metadata=None, extra=None),
        dict(
            id="c", text="x", source=None, added=None, created=None, metadata=None, extra='{"created":1700000000,"extra":{"a":1}}'
        ),
        dict(id="d", text="x", source=None, added=None, created=None, metadata=None, extra='{"more":null}'),
    ]


def test_json_to_parquet_and_back(tmp_path: Path) -> None:
    """Through a file, where the marks on the columns must survive; values of metadata and further fields by their bytes."""
    path = write(tmp_path, "x.parquet", binary([FULL, BARE, ODD, NULLS]))
    assert [document[:3] for document in read(path)[0]] == [
        (1, "a", "one \u00e9"),
        (2, "b", '"two"'),
        (3, "c", "x"),
        (4, "d", "x"),
    ]
    back = write(tmp_path, "back.jsonl", *[batch.record for batch, _ in read_batches(str(path))])
    assert back.read_bytes().splitlines() == [
        FULL.replace(b"\\u00e9", "\u00e9".encode()),
        BARE,
        ODD,
        b'{"id":"d","text":"x","more":null}',
    ]


def test_foreign_rows_to_json() -> None:
    rows = pa.array(
        [
            {
                "id": "a",
                "text": "x",
                "n": 1.5,
                "at": datetime.datetime(2024, 1, 2, 3, 4, 5),
                "tags": [{"k": None}],
                "metadata": "{}",
            },
            {"id": "b", "text": "y", "n": float("nan"), "at": None, "tags": None, "metadata": None},
        ]
    )
    assert [json.loads(one) for one in to_json_lines(rows).splitlines()] == [
        {"id": "a", "text": "x", "n": 1.5, "at": "2024-01-02T03:04:05", "tags": [{"k": None}], "metadata": "{}"},
        {"id": "b", "text": "y", "n": None},
    ]


def test_no_rows() -> None:
    assert to_json_lines(to_columns(binary([]))) == b""


def test_a_row_that_json_cannot_hold_is_a_data_error(tmp_path: Path) -> None:
    nanoseconds = pa.array([1], pa.timestamp("ns"))
    rows = pa.StructArray.from_arrays([pa.array(["a"]), pa.array(["x"]), nanoseconds], ["id", "text", "at"])
    with pytest.raises(DataError, match=r"x\.jsonl: a row cannot be written as JSON: "):
        write(tmp_path, "x.jsonl", rows)


def test_real_documents_through_parquet(shared_data: Path, tmp_path: Path) -> None:
    """Three sources, each document equal as JSON but for absent nulls."""
    names = ["web/dclm_annotated-0000.jsonl.zst", "flan/flan-0000.jsonl.zst", "code/mbxp-0000.jsonl.zst"]
    for name in names:
        assert is_document_file(shared_data / name, shared_data)
        originals = [document[3] for document in read(shared_data / name)[0]]
        path = write(tmp_path, "x.parquet", binary(originals))
        back = write(tmp_path, "back.jsonl", *[batch.record for batch, _ in read_batches(str(path))])
        expected = [{k: v for k, v in json.loads(one).items() if v is not None} for one in originals]
        assert [json.loads(one) for one in back.read_bytes().split(b"\n")[:-1]] == expected, name
