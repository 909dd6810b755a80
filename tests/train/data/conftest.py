"""One small mix for all tests of the trainer's data, and a cache folder that is nobody's."""

from __future__ import annotations

from pathlib import Path

import pytest

from dolmino_cli.mix.for_training import MixForTraining, open_mix
from tests.train.data.make import LENGTH, Window, windows_by_hand, write_mix


@pytest.fixture(scope="session")
def mix_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mix(tmp_path_factory.mktemp("mix"))


@pytest.fixture(scope="session")
def mix(mix_folder: Path) -> MixForTraining:
    return open_mix(str(mix_folder))


@pytest.fixture(scope="session")
def windows(mix_folder: Path) -> list[Window]:
    return windows_by_hand(mix_folder, LENGTH)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """dolmino's cache folder, empty."""
    monkeypatch.setenv("DOLMINO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
