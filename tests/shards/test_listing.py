"""list_shards: what an input means, in which order, under which names; and what is refused."""

from __future__ import annotations

import errno
import glob
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.shards import local
from dolmino_cli.shards.listing import _glob_pattern, list_shards


def tree(root: Path, *files: str) -> Path:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    return root


def listed(*inputs: str | Path) -> list[str]:
    return [shard.name for shard in list_shards([str(given) for given in inputs])]


def test_a_folder_means_all_shards_below_it(tmp_path: Path) -> None:
    tree(tmp_path, "b.jsonl", "a/c.json.gz", "a/d/e.parquet", "notes.txt", "._x.jsonl", ".cache/x.jsonl", ".b.jsonl.partial")
    assert listed(tmp_path) == ["a/c.json.gz", "a/d/e.parquet", "b.jsonl"]
    assert listed(f"{tmp_path}/") == listed(tmp_path)
    first = list_shards([str(tmp_path)])[0]
    assert (first.path, first.bytes) == (str(tmp_path / "a" / "c.json.gz"), 5)
    assert str(first.etag).startswith("mtime:")


def test_files_and_globs(tmp_path: Path) -> None:
    tree(tmp_path, "a/x1.jsonl", "a/x2.jsonl", "a/b/x1.jsonl", "a/b/c/x3.jsonl", "a/x.txt", "a/.h.jsonl")
    assert listed(tmp_path / "a" / "x1.jsonl") == ["x1.jsonl"]
    assert listed(tmp_path / "a" / "*.jsonl") == ["x1.jsonl", "x2.jsonl"]
    assert listed(tmp_path / "a" / "x?.jsonl") == ["x1.jsonl", "x2.jsonl"]
    assert listed(tmp_path / "*" / "x[2-9].jsonl") == ["a/x2.jsonl"]
    assert listed(tmp_path / "**" / "x1.jsonl") == ["a/b/x1.jsonl", "a/x1.jsonl"]
    assert listed(tmp_path / "a" / "b" / "**") == ["c/x3.jsonl", "x1.jsonl"]


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree(tmp_path, "a/x.jsonl", "y.jsonl"))
    assert [(shard.name, shard.path) for shard in list_shards(["a"])] == [("x.jsonl", "a/x.jsonl")]
    assert listed(".") == ["a/x.jsonl", "y.jsonl"]
    assert listed("*.jsonl", "a") == ["x.jsonl", "y.jsonl"]


def test_a_file_whose_name_looks_like_a_glob(tmp_path: Path) -> None:
    assert listed(tree(tmp_path, "x[1].jsonl") / "x[1].jsonl") == ["x[1].jsonl"]


def test_the_output_of_a_run_means_its_documents(tmp_path: Path) -> None:
    run = [
        "run.json",
        "documents/a/x.jsonl.zst",
        "attributes/x.parquet",
        "rejects/x.jsonl.zst",
        "quarantine/q.jsonl",
        "ledger/x.json",
    ]
    tree(tmp_path / "run", *run)
    assert listed(tmp_path / "run") == ["a/x.jsonl.zst"]
    tree(tmp_path, "plain/documents/y.jsonl", "plain/attributes/y.jsonl")
    assert listed(tmp_path) == ["plain/attributes/y.jsonl", "plain/documents/y.jsonl", "run/documents/a/x.jsonl.zst"]


@pytest.mark.parametrize("given", ["none", "none/*.jsonl", "empty", "a.jsonl/*"])
def test_an_input_that_means_nothing(tmp_path: Path, given: str) -> None:
    tree(tmp_path, "a.jsonl", "empty/x.txt")
    with pytest.raises(
        ConfigError, match=r"no shards found; looked for names that end in \.jsonl, |there is no such file or folder"
    ):
        listed(tmp_path / "a.jsonl", tmp_path / given)


def test_a_file_of_unknown_kind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"x\.txt: not a known kind of shard; allowed suffixes: \.jsonl, "):
        listed(tree(tmp_path, "x.txt") / "x.txt")


def test_two_shards_of_one_name(tmp_path: Path) -> None:
    tree(tmp_path, "a/x.jsonl", "b/x.jsonl")
    with pytest.raises(ConfigError) as failure:
        listed(tmp_path / "a", tmp_path / "b")
    both = f"{tmp_path}/a/x.jsonl and {tmp_path}/b/x.jsonl would both be called 'x.jsonl'"
    assert str(failure.value) == f"{both}; give a folder above both, or make one run of each"


def test_a_shard_given_twice(tmp_path: Path) -> None:
    tree(tmp_path, "a/x.jsonl")
    for other in ("a/x.jsonl", "a/../a/x.jsonl", "a"):
        with pytest.raises(ConfigError, match="is given twice"):
            listed(tmp_path, tmp_path / other)


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("*.jsonl", ["a.jsonl"], ["b/a.jsonl", "a.json"]),
        ("**/*.jsonl", ["a.jsonl", "b/c/a.jsonl"], ["a.json"]),
        ("a/**", ["a/b", "a/b/c"], ["b/a"]),
        ("x?[0-3][!a].z", ["xy2b.z"], ["xy4b.z", "xy2a.z", "x/2b.z"]),
        ("a+b(1).*", ["a+b(1).x"], ["aab1.x"]),
    ],
)
def test_remote_globs_read_as_local_ones(pattern: str, matching: list[str], other: list[str]) -> None:
    import re

    expression = re.compile(_glob_pattern(pattern))
    assert [name for name in matching + other if expression.fullmatch(name)] == matching


GLOBS = [
    "*",
    "**",
    "**/*",
    "**/x.jsonl",
    "a/**/x.jsonl",
    "*/x.jsonl",
    "a/*/",
    "a/b/../*.jsonl",
    "a//x*",
    ".*",
    ".h/*",
    "[ab]/*/x.*",
    "none/*",
]


@pytest.mark.parametrize("pattern", GLOBS)
@pytest.mark.parametrize("absolute", [True, False])
def test_a_glob_means_what_it_means_in_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, absolute: bool
) -> None:
    tree(
        tmp_path,
        "x.jsonl",
        "a/x.jsonl",
        "a/b/x.jsonl",
        "a/b/c/x.jsonl",
        "b/d/y.jsonl",
        ".h/x.jsonl",
        "a/.i/x.jsonl",
        "a/.j.jsonl",
    )
    (tmp_path / "b/link").symlink_to(tmp_path / "a")
    (tmp_path / "b/dangling").symlink_to(tmp_path / "none")
    monkeypatch.chdir(tmp_path)
    pattern = f"{tmp_path}/{pattern}" if absolute else pattern
    expected = sorted(path for path in set(glob.glob(pattern, recursive=True)) if os.path.isfile(path))  # noqa: PTH113, PTH207
    assert [shard.path for shard in local.matching(pattern)] == expected


@pytest.mark.parametrize("pattern", ["*/*.jsonl", "**", "**/*.jsonl", "a*/x.jsonl", "*/x.jsonl"])
def test_a_folder_that_a_glob_cannot_read_is_not_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str) -> None:
    """Of what is in it nothing would be known: neither its name nor that anything is missing."""
    tree(tmp_path, "a/x.jsonl", "ab/x.jsonl")
    closed, reads = str(tmp_path / "ab"), {"listdir": os.listdir, "scandir": os.scandir, "stat": os.stat}

    def refusing(name: str, path: Any, **options: Any) -> Any:
        if (str(path).rstrip("/") == closed and name != "stat") or str(path).startswith(f"{closed}/x"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return reads[name](path, **options)

    for name in reads:
        monkeypatch.setattr(os, name, partial(refusing, name))
    with pytest.raises(StorageError, match=rf"cannot (list|look at) {closed}/.*: permission denied"):
        list_shards([str(tmp_path / pattern)])
