"""What is opened for a trainer is a finished mix with all of its files, known by its bytes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.mix.for_training import open_mix
from tests.train.data.make import LENGTH, write_mix


@pytest.fixture(scope="module")
def mix_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mix(tmp_path_factory.mktemp("mix"))


@pytest.fixture
def copied(mix_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(mix_folder, tmp_path / "copied"))


def test_a_mix_says_what_a_trainer_asks_it(mix_folder: Path) -> None:
    mix = open_mix(str(mix_folder / "small.lock.json"))
    assert (mix.root, mix.sources, mix.eos_id, mix.vocabulary_size) == (str(mix_folder), ("web", "books", "math"), 99, 100)
    assert (mix.dtype.str, mix.tokenizer.name) == ("<u2", "tiny")
    arrays = sorted(mix_folder.glob("part-*.npy"))
    assert [mix.path(part) for part in range(len(mix.parts))] == list(map(str, arrays))
    tokens = [path.stat().st_size // 2 for path in arrays]
    assert (mix.tokens, mix.windows(LENGTH), mix.windows(100)) == (
        sum(tokens),
        sum(count // LENGTH for count in tokens),
        sum(count // 100 for count in tokens),
    )


@pytest.mark.parametrize("name", ["part-00002.npy", "part-00002.documents.arrow", "part-00002.repeated.bin"])
def test_a_missing_file_is_named_when_the_mix_is_opened(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: is missing; restore it"):
        open_mix(str(copied))


def test_an_array_that_was_cut_short_is_named_when_the_mix_is_opened(copied: Path) -> None:
    for name in ("part-00000.npy", "part-00001.npy"):
        (copied / name).write_bytes((copied / name).read_bytes()[:-2])
    with pytest.raises(DataError, match=r"part-00000\.npy: has [\d,]+ bytes, the lock says [\d,]+ \(and 1 more files differ\)"):
        open_mix(str(copied))


def test_what_is_no_finished_mix_is_refused(copied: Path, tmp_path: Path) -> None:
    (copied / "sample.unfinished").touch()
    with pytest.raises(ConfigError, match="unfinished mix"):
        open_mix(str(copied))
    with pytest.raises(ConfigError, match="give a folder that `dolmino sample` finished"):
        open_mix(str(tmp_path / "nothing"))


def test_a_mix_is_known_by_its_bytes_and_not_by_its_place(mix_folder: Path, copied: Path, tmp_path: Path) -> None:
    identity = open_mix(str(mix_folder)).identity
    assert open_mix(str(copied)).identity == identity and identity["mix"] == "small"
    other = open_mix(str(write_mix(tmp_path, sequence_length=32))).identity  # the same arrays, other windows
    assert other["arrays_json_sha256"] == identity["arrays_json_sha256"] and other != identity
