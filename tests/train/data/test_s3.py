"""A mix on S3 gives the batches that the same mix on a disk gives, through a cache that is never larger than it may be."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.mix.for_training import MixForTraining, open_mix
from dolmino_cli.mix.parts import fetch
from dolmino_cli.shards import s3_object, s3_retries
from dolmino_cli.train.data.mix_data import MixData
from tests.s3_server import S3Server
from tests.train.data.make import run_of
from tests.train.data.test_changed_files import flip

WORLD = 3


@pytest.fixture
def folder(cache: Path) -> Path:
    """Where the mixes are kept."""
    return cache / "mixes"


@pytest.fixture
def stored(mix_folder: Path, s3: S3Server) -> Iterator[str]:
    shutil.copytree(mix_folder, s3.file("mix"), dirs_exist_ok=True)
    yield s3.uri("mix")
    shutil.rmtree(s3.file("mix"))


def bytes_of(mix: MixForTraining, *suffixes: str) -> int:
    return sum(file.bytes for name, file in mix.files.items() if name.endswith(suffixes))


def sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock")}


def ranks(mix: MixForTraining, folder: Path, cache_bytes: int) -> list[MixData]:
    return [MixData(mix, run=run_of(), rank=r, world_size=WORLD, cache_dir=folder, cache_bytes=cache_bytes) for r in range(WORLD)]


def verify(data: list[MixData]) -> list[str]:
    """All ranks at once, as in a run; what they say."""
    said: list[str] = []
    with ThreadPoolExecutor(len(data)) as processes:
        list(processes.map(lambda one: one.verify(said.append), data))
    return said


def check_equal(data: list[MixData], local: MixForTraining) -> None:
    for rank, one in enumerate(data):
        expected = MixData(local, run=run_of(), rank=rank, world_size=WORLD)
        for found, wanted in zip(one.ahead(1, 12), expected.ahead(1, 12), strict=True):
            for name in ("windows_R", "ids_RL", "counts_RL", "sources_RL"):
                assert np.array_equal(getattr(found, name), getattr(wanted, name)), name


def test_a_mix_that_fits_is_fetched_once_by_all_ranks_and_mapped(
    stored: str, mix: MixForTraining, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    download = fetch._download
    monkeypatch.setattr(fetch, "_download", lambda file, target: fetched.append(file.name) or download(file, target))  # type: ignore[func-returns-value]
    opened = open_mix(stored)
    total = bytes_of(opened, ".npy", ".arrow", ".bin")
    data = ranks(opened, folder, total)
    assert all("fetching s3://bucket/mix" in line for line in verify(data))
    assert set(Counter(fetched).values()) == {1} and len(fetched) == 3 * len(mix.parts)
    assert sum(sizes(folder).values()) == total
    check_equal(data, mix)
    fetched.clear()
    verify(ranks(opened, folder, total))  # a restart
    assert fetched == []


def test_of_a_mix_that_does_not_fit_windows_are_read(stored: str, mix: MixForTraining, folder: Path) -> None:
    opened = open_mix(stored)
    room = bytes_of(opened, ".npy", ".arrow", ".bin") - 1
    data = ranks(opened, folder, room)
    said = verify(data)
    told = sum(line.startswith("reading ") and line.endswith(" for their sha256") for line in said)
    assert sum("larger than the cache" in line for line in said) == told == WORLD
    check_equal(data, mix)
    kept = sizes(folder)
    assert sum(kept.values()) == bytes_of(opened, ".arrow", ".bin") and not any(name.endswith(".npy") for name in kept)
    assert not any("sha256" in line for line in verify(ranks(opened, folder, room))), "a restart reads nothing twice"
    with pytest.raises(ConfigError, match=r"a cache of [\d,]+ bytes is too small: the documents of s3://bucket/mix take"):
        ranks(opened, folder, bytes_of(opened, ".arrow"))


def test_other_mixes_in_the_cache_count(stored: str, folder: Path) -> None:
    opened = open_mix(stored)
    (folder / "another").mkdir(parents=True)
    (folder / "another" / "part-00000.npy").write_bytes(bytes(1000))
    whole = bytes_of(opened, ".npy", ".arrow", ".bin")
    assert "larger than the cache" in verify(ranks(opened, folder, whole + 999))[0]
    assert "fetching" in verify(ranks(opened, folder, whole + 1000))[0]
    with pytest.raises(ConfigError, match=r"too small beside the 1,000 bytes that .*mixes holds of others: the documents"):
        ranks(opened, folder, 1500)


@pytest.mark.parametrize("fits", [True, False])
def test_a_changed_array_is_refused_by_name(stored: str, s3: S3Server, folder: Path, fits: bool) -> None:
    flip(s3.file("mix/part-00001.npy"))
    s3.uri()
    opened = open_mix(stored)
    room = bytes_of(opened, ".npy", ".arrow", ".bin") - (0 if fits else 1)
    with pytest.raises(DataError, match=r"^s3://bucket/mix/part-00001\.npy: was changed after it was written"):
        verify(ranks(opened, folder, room))
    assert "part-00001.npy" not in sizes(folder) and not any(name.endswith(".partial") for name in sizes(folder))


def test_an_array_that_changes_during_the_run_is_refused_by_name(stored: str, s3: S3Server, folder: Path) -> None:
    opened = open_mix(stored)
    data = ranks(opened, folder, bytes_of(opened, ".npy", ".arrow"))
    verify(data)
    data[0].step(1)
    for part in range(len(opened.parts)):
        flip(s3.file(f"mix/part-0000{part}.npy"))
    s3.uri()
    with pytest.raises(DataError, match=r"s3://bucket/mix/part-0000\d\.npy: was changed while it was being read"):
        data[0].step(2)


def test_a_lost_connection_is_tried_again(
    stored: str, mix: MixForTraining, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from botocore.exceptions import ReadTimeoutError

    client, failed = s3_object.client, []

    class Body:
        def readinto(self, _view: memoryview) -> int:
            failed.append(1)
            raise ReadTimeoutError(endpoint_url="s3")

        def close(self) -> None:
            return

    class Flaky:
        meta = client().meta

        def get_object(self, **arguments: Any) -> Any:
            answer = client().get_object(**arguments)
            return {**answer, "Body": Body()} if len(failed) < 3 else answer

    opened = open_mix(stored)
    data = ranks(opened, folder, bytes_of(opened, ".npy", ".arrow"))
    verify(data)
    monkeypatch.setattr(s3_retries, "_LONGEST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(s3_object, "client", Flaky)
    assert np.array_equal(data[0].step(1).ids_RL, MixData(mix, run=run_of(), rank=0, world_size=WORLD).step(1).ids_RL)
    assert len(failed) >= 3  # several windows are read at a time
