"""`hf://`, against a server that speaks the Hub's protocol."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.shards import storage
from dolmino_cli.shards.listing import list_shards
from tests.fake_hub import hub_of
from tests.shards.make import line, packed, read

A, B = line("a", "one"), line("b", "zwei \u2028")
DOCUMENTS = [(1, "a", "one", A), (2, "b", "zwei \u2028", B)]


def table(folder: Path) -> bytes:
    pq.write_table(pa.table({"id": ["a"], "text": ["x"]}), folder / "t.parquet")
    return (folder / "t.parquet").read_bytes()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """What lab/set has, at main and at a pull request."""
    files = {
        "README.md": b"# set",
        "data/x.jsonl.zst": packed(A + b"\n" + B, ".zst"),
        "data/deep/y.jsonl": A + b"\n" + B,
        "data/t.parquet": table(tmp_path),
    }
    with hub_of({"datasets/lab/set": {"main": files, "refs/pr/1": files}}, monkeypatch, tmp_path / "hub-cache"):
        yield files


def test_listing_and_reading(files: dict[str, bytes]) -> None:
    root = "hf://datasets/lab/set"
    shards = list_shards([root])
    assert [(shard.name, shard.path, shard.bytes) for shard in shards] == [
        ("data/deep/y.jsonl", f"{root}/data/deep/y.jsonl", len(A + b"\n" + B)),
        ("data/t.parquet", f"{root}/data/t.parquet", len(files["data/t.parquet"])),
        ("data/x.jsonl.zst", f"{root}/data/x.jsonl.zst", len(files["data/x.jsonl.zst"])),
    ]
    assert shards[0].etag == hashlib.sha1(A + b"\n" + B).hexdigest()
    assert [read(shard.path)[0] for shard in shards] == [DOCUMENTS, [(1, "a", "x", {"id": "a", "text": "x"})], DOCUMENTS]


def test_folders_globs_and_files(files: dict[str, bytes]) -> None:
    names = {
        "hf://datasets/lab/set/data": ["deep/y.jsonl", "t.parquet", "x.jsonl.zst"],
        "hf://datasets/lab/set@main/data/": ["deep/y.jsonl", "t.parquet", "x.jsonl.zst"],
        "hf://datasets/lab/set/data/*.zst": ["x.jsonl.zst"],
        "hf://datasets/lab/set/**/*.jsonl": ["data/deep/y.jsonl"],
        "hf://datasets/lab/set/data/x.jsonl.zst": ["x.jsonl.zst"],
    }
    assert {given: [shard.name for shard in list_shards([given])] for given in names} == names


@pytest.mark.parametrize("revision", ["", "@main", "@refs/pr/1"])
def test_what_was_fetched_is_there_without_a_network(
    files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, revision: str
) -> None:
    uri = f"hf://datasets/lab/set{revision}/data/deep/y.jsonl"
    fetched = storage.fetch(uri)
    assert fetched.read_bytes() == A + b"\n" + B and tmp_path / "hub-cache" in fetched.parents
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert storage.fetch(uri) == fetched
    with pytest.raises(StorageError, match=r"^cannot download hf://datasets/lab/set/README\.md: "):
        storage.fetch("hf://datasets/lab/set/README.md")


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("hf://datasets/lab/set/none.bin", "404"),
        ("hf://datasets/lab/gated/model.bin", r"the Hub refused \(401\)"),
        ("hf://lab/model", "that names no file; give hf://OWNER/NAME/FILE"),
    ],
)
def test_what_cannot_be_fetched(files: dict[str, bytes], uri: str, why: str) -> None:
    with pytest.raises(StorageError, match=f"^cannot download {uri}: .*{why}"):
        storage.fetch(uri)


def test_what_is_not_there_or_not_allowed(files: dict[str, bytes]) -> None:
    with pytest.raises(ConfigError, match="no shards found"):
        list_shards(["hf://datasets/lab/set/none"])
    with pytest.raises(ConfigError, match="no shards found"):
        list_shards(["hf://datasets/lab/other"])
    with pytest.raises(StorageError, match=r"^cannot read hf://datasets/lab/set/no\.jsonl: "):
        read("hf://datasets/lab/set/no.jsonl")
    with pytest.raises(
        StorageError, match=r"^cannot look at hf://datasets/lab/gated: the Hub refused \(401\): no such dataset, or"
    ):
        list_shards(["hf://datasets/lab/gated"])
