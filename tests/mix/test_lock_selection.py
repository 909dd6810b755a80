"""A lock can be made before the mix: the mix that is sampled from it later has the same lock, with outputs."""

from __future__ import annotations

import dataclasses
import errno
import tempfile
from pathlib import Path

import pytest

from dolmino_cli.errors import DataError, StorageError
from dolmino_cli.mix.lock import parse
from dolmino_cli.mix.lock_selection import lock_selection
from dolmino_cli.mix.prepare import prepare
from dolmino_cli.mix.sampling.sample import sample
from tests.mix.make import contents, documents_of, write_arrays, write_manifest

WEB = documents_of(*[2 + (i * 7) % 20 for i in range(60)], prefix="w")
MATH = documents_of(5, 6, 7, 8, 9, prefix="m")
SHARES = {"web": "source_percent: 30", "math": "source_percent: 250"}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder with tokens/, small.yaml and mix/, sampled from the manifest."""
    write_arrays(tmp_path / "tokens" / "web", WEB, groups=2, tokens_per_file=200)
    write_arrays(tmp_path / "tokens" / "math", MATH)
    manifest = write_manifest(tmp_path / "small.yaml", **SHARES)
    sample(manifest, output=str(tmp_path / "mix"), arrays_root=str(tmp_path / "tokens"), tokens_per_file=100)
    return tmp_path


def lock_bytes(made: Path, **options: int) -> bytes:
    prepared = prepare(made / "small.yaml", arrays_root=str(made / "tokens"), tokens_per_file=100)
    return lock_selection(prepared, **options).to_json()


def test_the_lock_of_a_sampled_mix_is_this_one_and_its_outputs(made: Path) -> None:
    path = made / "mix" / "small.lock.json"
    sampled = parse(path.read_bytes(), str(path))
    assert sampled.outputs is not None and sampled.arrays_json_sha256 is not None
    sources = {name: dataclasses.replace(source, repeated_ids=None) for name, source in sampled.sources.items()}
    before = dataclasses.replace(sampled, sources=sources, outputs=None, arrays_json_sha256=None)
    assert lock_bytes(made) == lock_bytes(made, workers=2) == before.to_json()


def test_a_full_temporary_folder_is_said(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    with pytest.raises(StorageError, match=r"^cannot make a scratch folder in .* \(TMPDIR chooses it\): the disk is full;"):
        lock_bytes(made)


def test_from_it_the_mix_comes_out_that_the_manifest_makes(made: Path) -> None:
    (made / "small.lock.json").write_bytes(lock_bytes(made))
    result = sample(made / "small.lock.json", output=str(made / "again"))
    assert contents(made / "again") == contents(made / "mix")
    assert result.lock.outputs is not None


def test_a_selection_that_is_not_the_lock_s_is_refused(made: Path) -> None:
    text = lock_bytes(made).decode()
    (made / "small.lock.json").write_text(text.replace('"taken_documents": ', '"taken_documents": 1', 1))
    with pytest.raises(DataError, match=r"taken_documents of web is [0-9]+, the lock says 1[0-9]+"):
        sample(made / "small.lock.json", output=str(made / "again"))
