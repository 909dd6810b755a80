"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real sample data beside the checkout; tests that need it skip where it is not."""
    folder = Path(os.environ.get("DOLMINO_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not (folder / "MANIFEST.tsv").is_file():
        pytest.skip(f"real sample data is not on this machine (looked in {folder}; set DOLMINO_SHARED_DATA)")
    return folder
