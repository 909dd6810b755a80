"""Documents in scratch come back as they were saved, or the run says that they do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dolmino_cli.errors import StorageError
from dolmino_cli.shards.storage import Output
from dolmino_cli.tokens.encode import Encoded
from dolmino_cli.tokens.scratch import read, save

BATCHES = [
    Encoded(np.arange(first, first + 4, dtype=np.uint16), np.array([0, 3, 4]), pa.array(["a", "b"]), pa.array([1, 2]), "x")
    for first in (10, 20)
]


def saved(folder: Path) -> Output:
    scratch = Output(str(folder))
    save([Encoded(one.ids, one.offsets, one.id.cast(pa.large_string()), one.line, one.src) for one in BATCHES], scratch, "x")
    return scratch


def test_documents_come_back(tmp_path: Path) -> None:
    found = [batch.ids.tolist() for batch in read(saved(tmp_path), "x", src="x", dtype=np.dtype(np.uint16))]
    assert found == [[10, 11, 12, 13], [20, 21, 22, 23]]


def test_ids_that_are_cut_short_are_not_those_of_the_batch_before(tmp_path: Path) -> None:
    """As after a power cut: files of scratch are not synced to the disk."""
    scratch = saved(tmp_path)
    with (tmp_path / "x.ids").open("r+b") as file:
        file.truncate(12)
    with pytest.raises(StorageError, match=r"^cannot read .*/x\.ids: it ends early; run the same command again$"):
        list(read(scratch, "x", src="x", dtype=np.dtype(np.uint16)))
