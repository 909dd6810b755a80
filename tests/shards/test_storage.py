"""Bytes by path on the local disk; S3 is in test_s3.py, the Hub in test_hub.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.shards import storage


def test_reading_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert storage.read_bytes(str(path)) == b"abc"
    assert storage.exists(str(path))
    assert not storage.exists(str(tmp_path))
    assert storage.fetch(str(path)) == path
    with pytest.raises(StorageError, match=r"^cannot read .*/y: there is no such file$"):
        storage.fetch(str(tmp_path / "y"))


def test_unknown_scheme() -> None:
    with pytest.raises(ConfigError, match=r"^gs://b/x: unknown scheme 'gs'; allowed: a local path, s3://"):
        storage.open_bytes("gs://b/x")


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        (("a", "b", "c.json"), "a/b/c.json"),
        (("a/", "/b/", "c"), "a/b/c"),
        (("/", "a"), "/a"),
        (("s3://b", "x"), "s3://b/x"),
        (("s3://b/p/", "x/y"), "s3://b/p/x/y"),
    ],
)
def test_join(parts: tuple[str, ...], joined: str) -> None:
    assert storage.join(*parts) == joined


def test_list_names(tmp_path: Path) -> None:
    for name in ("b.json", "a/c.json", "a/.d.json.partial", "e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert storage.list_names(str(tmp_path), ".json") == ["a/c.json", "b.json"]
    assert storage.list_names(str(tmp_path / "none"), ".json") == []


def test_a_folder_that_is_removed_while_it_is_listed_has_no_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    is_dir = Path.is_dir

    def then_removed(path: Path) -> bool:
        there = is_dir(path)
        tmp_path.rmdir()
        return there

    monkeypatch.setattr(Path, "is_dir", then_removed)
    assert storage.list_names(str(tmp_path), ".json") == []


def test_walk_follows_links_once(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x.jsonl").touch()
    (tmp_path / "real" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "y.jsonl").symlink_to(tmp_path / "real" / "x.jsonl")
    assert sorted({Path(found.path).resolve().name for found in storage.walk(str(tmp_path))}) == ["x.jsonl"]
    assert len(list(storage.walk(str(tmp_path)))) < 10
