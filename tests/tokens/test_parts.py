"""Files are cut between documents, never inside one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dolmino_cli.shards.storage import Output
from dolmino_cli.tokens.arrays import ArrayFile
from dolmino_cli.tokens.encode import Encoded
from dolmino_cli.tokens.index import read_index
from dolmino_cli.tokens.parts import write_parts


def batches(lengths: list[int], rows_per_batch: int) -> list[Encoded]:
    """Documents of these lengths; document i is i, i, i, ..."""
    made = []
    for start in range(0, len(lengths), rows_per_batch):
        of_batch = lengths[start : start + rows_per_batch]
        ids = np.repeat(np.arange(start, start + len(of_batch)), of_batch).astype(np.uint16)
        offsets = np.concatenate([[0], np.cumsum(of_batch)]).astype(np.int64)
        lines = np.arange(start, start + len(of_batch)) + 1
        made.append(
            Encoded(ids, offsets, pa.array([f"d{line}" for line in lines], pa.large_string()), pa.array(lines), "s.jsonl")
        )
    return made


def lengths_of(files: list[ArrayFile], folder: Path) -> list[list[int]]:
    return [
        [row["end"] - row["start"] for rows in read_index(str(folder / file.index_name)) for row in rows.to_pylist()]
        for file in files
    ]


@pytest.mark.parametrize(
    ("lengths", "cut"),
    [
        ([4, 4, 2], [[4, 4, 2]]),
        ([4, 4, 3], [[4, 4], [3]]),
        ([11, 1], [[11], [1]]),
        ([1, 25, 1, 9], [[1], [25], [1, 9]]),
        ([10, 10], [[10], [10]]),
        ([30], [[30]]),
        ([], []),
    ],
)
@pytest.mark.parametrize("rows_per_batch", [1, 2, 10])
def test_ten_tokens_per_file(lengths: list[int], cut: list[list[int]], rows_per_batch: int, tmp_path: Path) -> None:
    files = write_parts(batches(lengths, rows_per_batch), output=Output(str(tmp_path)), group=7, tokens_per_file=10)
    assert [file.name for file in files] == [f"part-00007-{i:05d}.npy" for i in range(len(cut))]
    assert lengths_of(files, tmp_path) == cut
    assert [(file.tokens, file.documents, file.bytes) for file in files] == [
        (sum(part), len(part), 2 * sum(part)) for part in cut
    ]
    for file in files:
        assert hashlib.sha256((tmp_path / file.name).read_bytes()).hexdigest() == file.sha256
        assert hashlib.sha256((tmp_path / file.index_name).read_bytes()).hexdigest() == file.index_sha256


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 30), max_size=25), st.integers(1, 40), st.integers(1, 9))
def test_any_cut_loses_nothing_and_is_the_same_for_any_batches(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], tokens_per_file: int, rows_per_batch: int
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    files = write_parts(batches(lengths, rows_per_batch), output=Output(str(folder)), group=0, tokens_per_file=tokens_per_file)
    again = write_parts(batches(lengths, 1000), output=Output(str(folder / "again")), group=0, tokens_per_file=tokens_per_file)
    assert files == again
    whole = np.concatenate([np.fromfile(folder / file.name, "<u2") for file in files] or [np.empty(0, "<u2")])
    assert whole.tolist() == np.repeat(np.arange(len(lengths)), lengths).tolist()
    for part in lengths_of(files, folder):
        assert sum(part) <= tokens_per_file or len(part) == 1
    for part, following in zip(lengths_of(files, folder), lengths_of(files, folder)[1:], strict=False):
        assert sum(part) + following[0] > tokens_per_file


def test_a_failure_leaves_no_unfinished_file(tmp_path: Path) -> None:
    def failing() -> object:
        yield from batches([3, 3], 1)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_parts(failing(), output=Output(str(tmp_path)), group=0, tokens_per_file=3)  # type: ignore[arg-type]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part-00000-00000.csv.gz", "part-00000-00000.npy"]
