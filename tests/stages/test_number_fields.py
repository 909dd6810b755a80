"""`field` and `reuse`: numbers by dotted path, from JSON lines and from Parquet rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from dolmino_cli.errors import DataError
from dolmino_cli.stages.field import Field
from dolmino_cli.stages.reuse import Reuse
from tests.stages.conftest import MakeBatch, batch_of

STARS = Field(field="metadata.max_stars_count", into="stars")


def with_metadata(*values: Any) -> Any:
    return batch_of(*("t" for _ in values), records=[{"metadata": {"other": [1], "max_stars_count": value}} for value in values])


def test_numbers_and_numeric_text_missing_and_null() -> None:
    batch = with_metadata(2, 1.5, "7", "-2.5e1", None, 0)
    assert STARS(batch).to_pylist() == [2.0, 1.5, 7.0, -25.0, None, 0.0]
    missing = batch_of(
        "a", "b", "c", "d", records=[{}, {"metadata": None}, {"metadata": {}}, {"metadata": {"max_stars_count": 3}}]
    )
    assert STARS(missing).to_pylist() == [None, None, None, 3.0]
    assert str(STARS(missing).type) == "double"


@pytest.mark.parametrize("value", [True, "many", "", "nan", "1_000", " 3", "0x10", [3], {"n": 3}])
def test_whatever_is_no_number_stops_with_file_and_line(value: Any) -> None:
    with pytest.raises(DataError, match=r"^in\.jsonl:2: document 'd2': 'metadata\.max_stars_count' is .*; expected a number"):
        STARS(with_metadata(1, value))


def test_large_integers() -> None:
    assert STARS(with_metadata(2**53 + 1, 2**63)).to_pylist() == [float(2**53), float(2**63)]
    with pytest.raises(DataError, match="too large for a score"):
        STARS(with_metadata(10**400))


def with_record(*metadata: str) -> Any:
    batch = batch_of(*("t" for _ in metadata))
    lines = [f'{{"id": "a", "text": "t", "metadata": {one}}}'.encode() for one in metadata]
    return replace(batch, record=pa.array(lines, pa.large_binary()))


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 5000, '"1e400"'])
def test_a_number_beyond_a_float_stops_with_file_and_line(number: str) -> None:
    with pytest.raises(DataError, match=r"^in\.jsonl:2: document 'd2': 'metadata\.max_stars_count' is too large for a score"):
        STARS(with_record('{"max_stars_count": 1}', f'{{"max_stars_count": {number}}}'))


def test_a_number_beyond_a_float_beside_the_path_is_none_of_ours() -> None:
    """Nor is it where another document of the batch has no object at a level of the path."""
    metadata = ['{"max_stars_count": -0, "other": 1e400}', '"{\\"max_stars_count\\": 4, \\"other\\": 1e400}"', "[1]"]
    assert STARS(with_record(*metadata)).to_pylist() == [0.0, 4.0, None]


def test_levels_that_are_no_objects() -> None:
    lists = batch_of("a", "b", records=[{"metadata": [1, 2]}, {"metadata": {"max_stars_count": 4}}])
    assert STARS(lists).to_pylist() == [None, 4.0]
    text = batch_of("a", "b", records=[{"metadata": '{"max_stars_count": "5"}'}, {"metadata": None}])
    assert STARS(text).to_pylist() == [5.0, None]
    plain = batch_of("a", "b", records=[{"metadata": "a note, no JSON"}, {"metadata": {"max_stars_count": 6}}])
    assert STARS(plain).to_pylist() == [None, 6.0]


def test_reuse_takes_numbers_only() -> None:
    name = "fasttext_openhermes_reddit_eli5_vs_rw_v2_bigram_200k_train_prob"
    batch = batch_of("a", "b", records=[{name: 0.25}, {}])
    assert Reuse(field=name, into="dclm")(batch).to_pylist() == [0.25, None]
    nested = batch_of("a", records=[{"metadata": {"scores": {"q": 0.5}}}])
    assert Reuse(field="metadata.scores.q", into="q")(nested).to_pylist() == [0.5]
    with pytest.raises(DataError, match=r"expected a number$"):
        Reuse(field=name, into="dclm")(batch_of("a", records=[{name: "0.25"}]))


@pytest.mark.parametrize(
    ("column", "scores"),
    [
        (pa.array([{"max_stars_count": 3}, None, {"max_stars_count": None}]), [3.0, None, None]),
        (pa.array([{"max_stars_count": "3"}, {"max_stars_count": "4.5"}, None]), [3.0, 4.5, None]),
        (pa.array(['{"max_stars_count": 3}', "{}", None]), [3.0, None, None]),
        (pa.array(['{"max_stars_count": 3}', "a note", ""]), [3.0, None, None]),
        (pa.array([1, None, 2], pa.timestamp("ns")), [None, None, None]),
        (pa.array([{"other": 3}, None, None]), [None, None, None]),
        (pa.array([[1], None, [2]]), [None, None, None]),
        (pa.array([{"max_stars_count": 2**53 + 1}, None, None]), [float(2**53), None, None]),
    ],
)
def test_parquet_rows(make_batch: MakeBatch, column: pa.Array, scores: list[float | None]) -> None:
    batch = make_batch("a", "b", "c")
    rows = pa.StructArray.from_arrays([batch.id, batch.text, column], ["id", "text", "metadata"])
    assert STARS(replace(batch, record=rows)).to_pylist() == scores


def test_parquet_booleans_are_refused(make_batch: MakeBatch) -> None:
    batch = make_batch("a")
    rows = pa.StructArray.from_arrays([batch.id, pa.array([True])], ["id", "flag"])
    with pytest.raises(DataError, match=r"'flag' is 'True'; expected a number"):
        Field(field="flag", into="f")(replace(batch, record=rows))
