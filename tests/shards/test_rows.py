"""A publisher's rows become documents: the same from JSONL and Parquet, with every column kept."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.shards.reading import read_batches
from dolmino_cli.shards.rows import RowLayout

pytestmark = pytest.mark.usefixtures("each_way")

LAYOUTS = (RowLayout(text=("question", "answer")), RowLayout(text=("user", "assistant"), id=("set", "number")))
ROWS = [
    {"question": "2 + 2?", "answer": "4", "level": 1.50},
    {"user": "Hi", "assistant": "there\nyou", "set": "a", "number": 7},
    {"id": "mine", "text": "a document", "question": "no", "answer": "matter"},
]


def read(path: Path, **options: object) -> tuple[list[str], list[str], list[dict[str, object]], list[tuple[int, str]]]:
    ids, texts, records, aside = [], [], [], []
    for batch, quarantined in read_batches(str(path), rows=LAYOUTS, **options):  # type: ignore[arg-type]
        ids += batch.id.to_pylist()
        texts += batch.text.to_pylist()
        records += [json.loads(record) for record in batch.record.to_pylist()]
        aside += [(one.line, one.reason) for one in quarantined]
    return ids, texts, records, aside


def test_rows_of_either_layout_and_documents_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [json.dumps(row).encode() for row in ROWS]
    path.write_bytes(b"\n".join([lines[0], b"", *lines[1:]]))
    ids, texts, records, _ = read(path)
    assert ids == [ids[0], "a/7", "mine"] and len(ids[0]) == 16
    assert texts == ["2 + 2?\n4", "Hi\nthere\nyou", "a document"]
    assert records[:2] == [
        {"id": ids[0], "text": "2 + 2?\n4", "metadata": ROWS[0]},
        {"id": "a/7", "text": "Hi\nthere\nyou", "metadata": ROWS[1]},
    ]
    assert records[2] == ROWS[2], "a document is taken as it is"


def test_the_id_without_columns_is_of_the_row_not_of_its_place(tmp_path: Path) -> None:
    lines = [json.dumps({"question": f"{number}?", "answer": "!"}).encode() for number in range(50)]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    (tmp_path / "b.jsonl").write_bytes(b"\n".join(reversed(lines)))
    first, second = read(tmp_path / "a.jsonl")[0], read(tmp_path / "b.jsonl")[0]
    assert first == second[::-1] and len(set(first)) == 50


def test_parquet_rows_are_read_the_same(tmp_path: Path) -> None:
    rows = [{"user": "Hi", "assistant": "you", "set": "a", "number": number} for number in range(3)]
    pq.write_table(
        pa.Table.from_pylist([*rows, {"user": None, "assistant": "x", "set": "a", "number": 9}]), tmp_path / "a.parquet"
    )
    ids, texts, records, aside = read(tmp_path / "a.parquet", on_error="quarantine")
    assert (ids, texts) == (["a/0", "a/1", "a/2"], ["Hi\nyou"] * 3)
    assert [record["metadata"] for record in records] == rows
    assert [line for line, _ in aside] == [4]
    assert aside[0][1].endswith("nor a row with question, answer or user, assistant, set, number; fields: assistant, set, number")


def test_parquet_rows_with_times_that_python_lacks_are_documents(tmp_path: Path) -> None:
    columns = {
        "question": pa.array(["1?", "2?"]),
        "answer": pa.array(["1", "2"]),
        "at": pa.array([1, 2], pa.int64()).view(pa.timestamp("ns")),
        "far": pa.array([2**63 - 1, None], pa.int64()).view(pa.timestamp("us", "Mars/Phobos")),
        "took": pa.array([1, 2], pa.int64()).view(pa.duration("ns")),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    _, texts, records, _ = read(tmp_path / "a.parquet")
    assert texts == ["1?\n1", "2?\n2"]
    assert records[0]["metadata"] == {
        "question": "1?",
        "answer": "1",
        "at": "1970-01-01T00:00:00.000000001",
        "far": "+294247-01-10T04:00:54.775807Z[Mars/Phobos]",
        "took": "PT0.000000001S",
    }


def test_a_parquet_row_of_no_utf8_is_set_aside_by_its_reason_with_its_bytes(tmp_path: Path) -> None:
    answer = pa.Array.from_buffers(pa.string(), 2, pa.array([b"good", b"bad \xff"]).buffers())
    pq.write_table(pa.table({"question": ["1?", "2?"], "answer": answer, "level": [1, 2]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet:2: invalid UTF-8 in `answer`$"):
        read(tmp_path / "a.parquet")
    [(batch, aside)] = read_batches(str(tmp_path / "a.parquet"), rows=LAYOUTS, on_error="quarantine")
    assert batch.text.to_pylist() == ["1?\ngood"]
    assert [(one.line, one.reason, one.record) for one in aside] == [(2, "invalid UTF-8 in `answer`", b"2? bad \xff")]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"question": "no answer"}', "neither a document .* nor a row with question, answer or .*; fields: question"),
        (b'{"question": 3, "answer": "x"}', "neither a document"),
        (b'{"question": "\\ud800", "answer": "x"}', "lone surrogate|neither"),
        (b'{"question": "cut', "invalid JSON"),
        (b"[1]", "expected a JSON object"),
    ],
)
def test_what_is_neither_is_refused_or_set_aside(line: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(json.dumps(ROWS[0]).encode() + b"\n" + line + b"\n" + json.dumps(ROWS[2]).encode() + b"\n")
    with pytest.raises(DataError, match=rf"a\.jsonl:2: .*({problem})"):
        read(path)
    ids, _, _, aside = read(path, on_error="quarantine")
    assert len(ids) == 2 and [number for number, _ in aside] == [2]


def test_a_layout_needs_a_text() -> None:
    with pytest.raises(ConfigError, match="name the columns"):
        RowLayout(text=())
