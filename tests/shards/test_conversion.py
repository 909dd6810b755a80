"""JSONL <-> Parquet: nothing but layout and nulls changes, and JSON values keep their bytes."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from dolmino_cli.documents import Batch
from dolmino_cli.errors import DataError
from dolmino_cli.shards.conversion import rewritten, to_columns, to_json_lines
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
    rows = pa.StructArray.from_arrays([pa.array(["a"]), pa.array(["x"]), not_utf8("x", b"\xff")], ["id", "text", "note"])
    with pytest.raises(DataError, match=r"x\.jsonl: a row cannot be written as JSON: "):
        write(tmp_path, "x.jsonl", rows)


def not_utf8(*values: str | bytes) -> pa.Array:
    """A column of strings that nothing has checked, without the first value."""
    data = pa.array([value.encode() if isinstance(value, str) else value for value in values], pa.binary())
    return pa.Array.from_buffers(pa.string(), len(values), data.buffers()).slice(1)


@pytest.mark.parametrize(
    ("kind", "number", "text"),
    [
        (pa.timestamp("ns"), 1, "1970-01-01T00:00:00.000000001"),
        (pa.timestamp("ns"), -(2**63) + 1, "1677-09-21T00:12:43.145224193"),
        (pa.timestamp("us"), 2**63 - 1, "+294247-01-10T04:00:54.775807"),
        (pa.timestamp("ms"), 1500, "1970-01-01T00:00:01.500000"),
        (pa.timestamp("s"), -62_200_000_000, "-0002-12-17T14:13:20"),
        (pa.timestamp("ns", "UTC"), 1, "1970-01-01T00:00:00.000000001Z"),
        (pa.timestamp("ns", "Europe/Berlin"), 1_700_000_000_000_000_001, "2023-11-14T23:13:20.000000001+01:00"),
        (pa.timestamp("s", "-03:30"), 0, "1969-12-31T20:30:00-03:30"),
        (pa.timestamp("s", "Mars/Phobos"), 0, "1970-01-01T00:00:00Z[Mars/Phobos]"),
        (pa.time64("ns"), 3_600_000_000_001, "01:00:00.000000001"),
        (pa.time32("s"), 86_399, "23:59:59"),
        (pa.duration("ns"), -86_400_000_000_001, "-P1DT0.000000001S"),
        (pa.duration("us"), 2**63 - 1, "P106751991DT14454.775807S"),
        (pa.duration("s"), 0, "PT0S"),
        (pa.date32(), 2**31 - 1, "+5881580-07-11"),
    ],
    ids=str,
)
def test_times_of_every_unit_become_text_with_all_digits(kind: pa.DataType, number: int, text: str) -> None:
    width = pa.int32() if kind.bit_width == 32 else pa.int64()
    times = pa.array([number, None], width).view(kind)
    nested = pa.ListArray.from_arrays(pa.array([0, 2, 2]), pa.StructArray.from_arrays([times], ["t"]))
    rows = pa.StructArray.from_arrays([times, nested], ["at", "steps"])
    assert [json.loads(one) for one in to_json_lines(rows).splitlines()] == [
        {"at": text, "steps": [{"t": text}, {"t": None}]},
        {"steps": []},
    ]


def test_times_that_python_has_are_written_as_it_writes_them() -> None:
    """As rows were written before; every type that `to_pylist` takes."""
    when = datetime.datetime(2024, 1, 2, 3, 4, 5, 60)
    columns = {
        "a": pa.array([when]),
        "b": pa.array([when], pa.timestamp("us", "Asia/Tokyo")),
        "c": pa.array([when.date()], pa.date64()),
        "d": pa.array([when.time()]),
        "e": pa.array([datetime.timedelta(3, 5, 70)]),
        "f": pa.array([[("k", when)]], pa.map_(pa.string(), pa.timestamp("ms"))),
    }
    rows = pa.RecordBatch.from_pydict(columns).to_struct_array()
    assert to_json_lines(rows) == msgspec.json.encode(rows.to_pylist()[0]) + b"\n"


def test_a_row_that_json_cannot_hold_is_named_where_it_is_written_anew() -> None:
    ids, texts = (pa.array(values, pa.large_string()) for values in (["a", "b"], ["x", "y"]))
    record = pa.StructArray.from_arrays([ids, texts, not_utf8("", "good", b"\xff")], ["id", "text", "note"])
    batch = Batch(shard="s.parquet", id=ids, text=texts, record=record, line=pa.array([7, 8], pa.int64()))
    with pytest.raises(DataError, match=r"^s\.parquet:8: invalid UTF-8 in `note`$"):
        rewritten(batch, ids, texts, [None, None])


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
