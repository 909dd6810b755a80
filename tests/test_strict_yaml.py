"""YAML is refused where a person could not have meant it, with file, line and key."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from dolmino_cli.errors import ConfigError, DolminoError, StorageError
from dolmino_cli.strict_yaml import compose, load


@dataclass(frozen=True, kw_only=True)
class Inner:
    share: float
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    count: int = 1
    mode: Literal["fast", "slow"] = "fast"
    flag: bool = False
    inner: Inner | None = None
    by_name: dict[str, Inner] | None = None
    words: tuple[str, ...] = ()


def read(tmp_path: Path, text: str) -> Outer:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    return load(path, Outer)


def test_scalars_are_read_by_the_type_the_field_wants(tmp_path: Path) -> None:
    text = "name: no\ncount: 262_144\nmode: slow\nflag: true\ninner: {share: 1e-5, note: 12}\n"
    text += "by_name: {a: {share: 3}}\nwords: [on, '1']\n"
    assert read(tmp_path, text) == Outer(
        name="no",
        count=262144,
        mode="slow",
        flag=True,
        inner=Inner(share=1e-5, note="12"),
        by_name={"a": Inner(share=3.0)},
        words=("on", "1"),
    )


def test_null_is_allowed_only_where_the_field_says_so(tmp_path: Path) -> None:
    assert read(tmp_path, "name: x\ninner: null\n") == Outer(name="x")
    with pytest.raises(ConfigError, match=r"x.yaml:1: name: expected text, got nothing"):
        read(tmp_path, "name:\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\ncuont: 3\n", r"x\.yaml:2: cuont: unknown key; did you mean 'count'\?"),
        ("count: 3\n", r"x\.yaml:1: name: missing; it has no default"),
        ("name: x\nname: y\n", r"x\.yaml:2: name: given twice \(first on line 1\)"),
        ("name: x\ncount: '3'\n", r"x\.yaml:2: count: expected a whole number, got '3'"),
        ("name: x\ncount: 3.5\n", r"x\.yaml:2: count: expected a whole number, got '3\.5'"),
        ("name: x\nflag: yes\n", r"x\.yaml:2: flag: expected true or false, got 'yes'"),
        ("name: x\nmode: medium\n", r"x\.yaml:2: mode: 'medium' given; allowed: fast, slow"),
        ("name: x\ninner:\n  share: a lot\n", r"x\.yaml:3: inner\.share: expected a number, got 'a lot'"),
        ("name: x\nby_name:\n  a: {}\n", r"x\.yaml:3: by_name\.a\.share: missing"),
        ("name: x\nwords: one\n", r"x\.yaml:2: words: expected a list"),
        ("name: x\ncount: " + "9" * 5000 + "\n", r"x\.yaml:2: count: a number of 5000 digits, more than 64 bits hold"),
        ("name: x\ninner: {share: 1e999}\n", r"x\.yaml:2: inner\.share: '1e999' is too large"),
        ("name: &a x\n", r"x\.yaml:1: a YAML anchor is not allowed"),
        ("name: !!python/none x\n", r"x\.yaml:1: a YAML tag is not allowed"),
        ("name: [x\n", r"x\.yaml:2: not YAML"),
        ("", r"x\.yaml: empty file"),
        ("- a\n", r"x\.yaml:1: file: expected a mapping"),
    ],
)
def test_mistakes_are_named_by_line_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, text)


READING = [(errno.ENOENT, ConfigError), (errno.EIO, StorageError), (errno.EACCES, StorageError)]


@pytest.mark.parametrize(("number", "expected"), READING)
def test_a_disk_that_cannot_be_read_is_no_wrong_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[DolminoError]
) -> None:
    """Batch systems try again what failed, and not what was asked for wrongly."""

    def refuse(path: Path, **options: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(DolminoError) as failure:
        compose(tmp_path / "x.yaml")
    said = f"{tmp_path / 'x.yaml'}: cannot be read: {os.strerror(number)}"
    assert (type(failure.value), str(failure.value)) == (expected, said)
