"""Which files are dumps, and of which site."""

from __future__ import annotations

from pathlib import Path

import pytest

from dolmino_cli.errors import ConfigError
from dolmino_cli.sources.stackexchange.dumps import list_dumps
from tests.s3_server import S3Server

FILES = [
    "ai.stackexchange.com.7z",
    "stackoverflow.com-Posts.7z",
    "stackoverflow.com-Comments.7z",
    "beer.stackexchange.com/Posts.xml",
    "beer.stackexchange.com/Comments.xml",
    "deep/er/math.com/Posts.xml.zst",
    "es.stackoverflow.com-Posts.xml.gz",
    ".hidden/x.com.7z",
    "readme.txt",
]
SITES = ["ai.stackexchange.com", "beer.stackexchange.com", "es.stackoverflow.com", "math.com", "stackoverflow.com"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / "dumps" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "dumps"


def sites(*inputs: object) -> list[str]:
    return [dump.site for dump in list_dumps([str(one) for one in inputs])]


def test_a_folder_means_its_dumps_of_posts(folder: Path) -> None:
    assert sites(folder) == SITES
    assert [dump.packing for dump in list_dumps([str(folder)])] == ["7z", "plain", "gzip", "zstd", "7z"]


def test_files_and_globs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sites(folder / "beer.stackexchange.com/Posts.xml") == ["beer.stackexchange.com"]
    assert sites(folder / "*.7z") == ["ai.stackexchange.com", "stackoverflow.com"]
    assert sites(folder / "*/Posts.xml", folder / "ai.stackexchange.com.7z") == ["ai.stackexchange.com", "beer.stackexchange.com"]
    assert sites(folder / "beer.stackexchange.com") == ["beer.stackexchange.com"]
    monkeypatch.chdir(folder / "beer.stackexchange.com")
    assert sites("Posts.xml") == sites(".") == ["beer.stackexchange.com"]


def test_s3(s3: S3Server) -> None:
    for name in FILES:
        s3.file(f"listed/{name}").write_bytes(b"x")
    assert sites(s3.uri("listed")) == SITES
    assert sites(s3.uri("listed/*.7z")) == ["ai.stackexchange.com", "stackoverflow.com"]
    assert sites(s3.uri("listed/beer.stackexchange.com/Posts.xml")) == ["beer.stackexchange.com"]
    assert sites(s3.uri("listed/beer.stackexchange.com")) == ["beer.stackexchange.com"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent", "there is no such file or folder"),
        ("readme.txt", r"not a dump of posts; allowed: SITE\.7z"),
        ("stackoverflow.com-Comments.7z", "not a dump of posts"),
        ("*.jsonl", "no dump found"),
        ("empty", "no dump found"),
    ],
)
def test_what_is_no_dump_is_refused(folder: Path, name: str, message: str) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(ConfigError, match=message):
        list_dumps([str(folder / name)])


def test_two_dumps_of_a_site_are_refused(folder: Path) -> None:
    (folder / "ai.stackexchange.com").mkdir()
    (folder / "ai.stackexchange.com/Posts.xml").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"are both dumps of ai\.stackexchange\.com"):
        list_dumps([str(folder)])
    other = folder.parent / "other" / "math.com.7z"
    other.parent.mkdir()
    other.write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"are both dumps of math\.com"):
        list_dumps([str(folder / "deep"), str(other)])
