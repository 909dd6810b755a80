"""A file that is not what the lock says is refused by its name, and not trained on."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path

import pytest

from dolmino_cli.errors import DataError
from dolmino_cli.mix.for_training import open_mix
from dolmino_cli.mix.parts import unchanged
from dolmino_cli.train.data.mix_data import MixData
from tests.train.data.make import run_of


@pytest.fixture
def copied(mix_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(mix_folder, tmp_path / "copied"))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def ranks(folder: Path, world_size: int = 2) -> list[MixData]:
    mix = open_mix(str(folder))
    return [MixData(mix, run=run_of(), rank=rank, world_size=world_size) for rank in range(world_size)]


@pytest.mark.parametrize("part", [0, 1, 3])
def test_a_changed_array_is_found_by_the_rank_whose_share_it_is(copied: Path, part: int) -> None:
    flip(copied / f"part-0000{part}.npy")
    data = ranks(copied)
    data[1 - part % 2].verify(lambda _: None)
    with pytest.raises(DataError, match=rf"copied/part-0000{part}\.npy: was changed after it was written: its sha256 is"):
        data[part % 2].verify(lambda _: None)


def test_arrays_that_were_found_right_are_read_again_only_when_they_may_have_changed(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(unchanged, "_TELL_SECONDS", math.inf)  # a slow disk is told of more often
    for data in ranks(copied):
        data.verify(said.append)
    assert len(said) == 2 and all("arrays" in line and "for their sha256" in line for line in said)
    said.clear()
    read: list[str] = []
    sha256 = unchanged._sha256
    monkeypatch.setattr(unchanged, "_sha256", lambda path: read.append(Path(path).name) or sha256(path))  # type: ignore[func-returns-value]
    for data in ranks(copied, world_size=3):  # another number of ranks: other shares
        data.verify(said.append)
    assert said == read == []
    os.utime(copied / "part-00002.npy")
    for data in ranks(copied):
        data.verify(said.append)
    assert read == ["part-00002.npy"] and len(said) == 1
    flip(copied / "part-00001.npy")
    with pytest.raises(DataError, match=r"part-00001\.npy: was changed"):
        [data.verify(said.append) for data in ranks(copied)]


@pytest.mark.parametrize("name", ["part-00001.documents.arrow", "part-00001.repeated.bin"])
def test_changed_documents_and_bits_are_found_when_they_are_first_needed(copied: Path, name: str) -> None:
    flip(copied / name)
    data = MixData(open_mix(str(copied)), run=run_of(), rank=0, world_size=1)
    with pytest.raises(DataError, match=rf"{name}: was changed"):
        list(data.ahead(1, data.steps_per_epoch))
