"""No step stands twice in a metrics file, and none is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dolmino_cli.errors import DataError, StorageError
from dolmino_cli.train.watch.metric_files import MetricFiles


def test_lines_after_the_checkpoint_and_cut_lines_go(tmp_path: Path) -> None:
    files = MetricFiles(tmp_path, after_step=0)
    files.write(
        [{"step": 1, "loss": 2.5}, {"step": 2, "loss": float("nan")}], {"step": 2, "loss_by_source": {"web": float("inf")}}
    )
    files.write([{"step": 3, "loss": 2.0}], {"step": 3, "loss_by_source": {"web": None}})
    with (tmp_path / "steps.jsonl").open("ab") as file:
        file.write(b'{"step": 4, "lo\x00\xff')

    again = MetricFiles(tmp_path, after_step=2)
    assert again.steps_before == [{"step": 1, "loss": 2.5}, {"step": 2, "loss": None}]
    again.write([{"step": 3, "loss": 1.0}], {"step": 3})
    steps = [json.loads(line) for line in (tmp_path / "steps.jsonl").read_text().splitlines()]
    assert steps == [{"step": 1, "loss": 2.5}, {"step": 2, "loss": None}, {"step": 3, "loss": 1.0}]
    readings = [json.loads(line) for line in (tmp_path / "readings.jsonl").read_text().splitlines()]
    assert readings == [{"step": 2, "loss_by_source": {"web": None}}, {"step": 3}]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "steps.jsonl").write_text('{"step": 1}\nnothing\n{"step": 2}\n')
    with pytest.raises(DataError, match=r"steps\.jsonl:2: is not a line of metrics"):
        MetricFiles(tmp_path, after_step=5)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "metrics").write_text("a file")
    with pytest.raises(StorageError, match=r"metrics cannot be written to .*/metrics: File exists; make room"):
        MetricFiles(tmp_path / "metrics", after_step=0)
