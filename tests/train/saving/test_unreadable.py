"""A checkpoint that the disk does not give may be whole: only of a damaged one is it said to remove it."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra [train]")

from dolmino_cli.errors import DataError, StorageError
from dolmino_cli.train.saving import tensors


def test_only_a_damaged_checkpoint_is_to_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(_: Any) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    with pytest.raises(DataError, match=r"is not a checkpoint that can be read: .*; remove it$"):
        tensors._check_names(tmp_path, {})  # without .metadata
    monkeypatch.setattr(tensors.dcp.FileSystemReader, "read_metadata", stale)
    with pytest.raises(StorageError, match=rf"^{tmp_path}: cannot be read: Stale file handle; run the same command again$"):
        tensors._check_names(tmp_path, {})
