"""`field_is`: one of the texts wanted, another text, no text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.stages.field_is import FieldIs
from tests.stages.conftest import MakeBatch, batch_of

SPLIT = FieldIs(field="metadata.split", values=("train", "extra"), into="is_train")


def with_split(*values: Any) -> Any:
    return batch_of(*("t" for _ in values), records=[{"metadata": {"split": value}} for value in values])


def test_wanted_other_and_missing() -> None:
    assert SPLIT(with_split("train", "test", "Train", "", "extra", None)).to_pylist() == [1, 0, 0, 0, 1, None]
    assert SPLIT(batch_of("a", "b", records=[{}, {"metadata": '{"split": "train"}'}])).to_pylist() == [None, 1]
    assert str(SPLIT(with_split(None)).type) == "int64"


@pytest.mark.parametrize("value", [1, True, ["train"], {"train": 1}])
def test_what_is_no_text_stops_with_file_and_line(value: Any) -> None:
    with pytest.raises(DataError, match=r"^in\.jsonl:2: document 'd2': 'metadata\.split' is .*; expected text"):
        SPLIT(with_split("train", value))


@pytest.mark.parametrize(
    ("column", "scores"),
    [
        (pa.array([{"split": "train"}, {"split": "test"}, None]), [1, 0, None]),
        (pa.array(['{"split": "extra"}', "{}", None]), [1, None, None]),
        (pa.array([{"other": "train"}, None, None]), [None, None, None]),
    ],
)
def test_parquet_rows(make_batch: MakeBatch, column: pa.Array, scores: list[int | None]) -> None:
    batch = make_batch("a", "b", "c")
    rows = pa.StructArray.from_arrays([batch.id, batch.text, column], ["id", "text", "metadata"])
    assert SPLIT(replace(batch, record=rows)).to_pylist() == scores


def test_nothing_wanted_is_refused() -> None:
    with pytest.raises(ConfigError, match="values is empty"):
        FieldIs(field="f", values=(), into="s")
