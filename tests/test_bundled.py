"""Bundled names are found from the package, files by their path, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from dolmino_cli.bundled import bundled_names, find
from dolmino_cli.errors import ConfigError


def test_bare_name_is_bundled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "dclm.yaml").write_text("name: trap\n")
    monkeypatch.chdir(tmp_path)
    assert find("filters", "dclm").read_text().startswith("name: dclm\n")


def test_path_is_that_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("name: own\n")
    monkeypatch.chdir(tmp_path)
    assert find("filters", "own.yaml").read_text() == "name: own\n"
    assert find("filters", "./own.yaml").read_text() == "name: own\n"


def test_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"no bundled recipe 'dcml'; did you mean 'dclm'\?.*own files: \./dcml\.yaml"):
        find("filters", "dcml")
    with pytest.raises(ConfigError, match=r"no file './absent\.yaml'"):
        find("mixes", "./absent.yaml")


def test_names_are_sorted_and_whole() -> None:
    assert bundled_names("filters") == sorted(path.stem for path in Path(__file__).resolve().parents[1].glob("filters/*.yaml"))
