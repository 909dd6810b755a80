"""arrays.json says what the arrays are, and is refused where they are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.tokens.arrays import ArrayFile, TokenArrays, dtype_name
from dolmino_cli.tokens.retokenize import retokenize
from tests.tokenizer.make import byte_level
from tests.tokens.make import documents_in, ids_of, write_shards


@pytest.fixture
def made(tmp_path: Path) -> TokenArrays:
    shards = write_shards(tmp_path / "in", {"a.jsonl": ["the dog", "the fox jumps"], "b.jsonl": ["a"]})
    tokenizer = byte_level(tmp_path / "tokenizer.json")
    return retokenize([str(shards)], tokenizer=str(tokenizer), output=str(tmp_path / "out"))


@pytest.mark.parametrize(
    ("size", "dtype"), [(2, "uint16"), (256, "uint16"), (65_536, "uint16"), (65_537, "uint32"), (100_278, "uint32")]
)
def test_dtype_is_the_smallest_that_fits_but_never_uint8(size: int, dtype: str) -> None:
    assert dtype_name(size) == dtype
    assert np.iinfo(dtype).max >= size - 1


def test_the_whole_of_arrays_json(made: TokenArrays, tmp_path: Path) -> None:
    stored = json.loads((tmp_path / "out" / "arrays.json").read_text())
    hashes = {key: stored["files"][0].pop(key) for key in ("sha256", "index_sha256")}
    tokens = sum(len(ids_of(tmp_path / "tokenizer.json", text, 0)) for text in ("the dog", "the fox jumps", "a"))
    assert all(len(value) == 64 for value in hashes.values())
    assert len(stored["tokenizer"].pop("sha256")) == 64
    assert stored == {
        "dolmino_arrays": 1,
        "tokenizer": {"name": "tokenizer.json", "vocabulary_size": 400, "eos_token": "<|endoftext|>", "eos_id": 0},
        "dtype": "uint16",
        "engine": "gigatoken 0.10.0",
        "options": {
            "bos_id": None, "special_tokens": "text", "strip": True, "on_error": "fail",
            "max_document_bytes": 134_217_728, "tokens_per_file": 100_000_000,
        },
        "files": [{"name": "part-00000-00000.npy", "tokens": tokens, "documents": 3, "bytes": 2 * tokens}],
        "totals": {
            "tokens": tokens, "documents": 3, "bytes": 2 * tokens, "read": 3, "empty": 0, "quarantined": 0, "text_bytes": 21,
        },
        "made_by": None,
    }  # fmt: skip


def test_opened_arrays_are_the_written_ones(made: TokenArrays, tmp_path: Path) -> None:
    opened = TokenArrays.open(str(tmp_path / "out"))
    assert opened == made
    assert documents_in(opened) == [
        (ids_of(tmp_path / "tokenizer.json", "the dog", 0), "a.jsonl/0", "a.jsonl", 1),
        (ids_of(tmp_path / "tokenizer.json", "the fox jumps", 0), "a.jsonl/1", "a.jsonl", 2),
        (ids_of(tmp_path / "tokenizer.json", "a", 0), "b.jsonl/0", "b.jsonl", 1),
    ]
    (file,) = opened.files
    whole = opened.memmap(file)
    assert not whole.flags.writeable and whole.tobytes() == (tmp_path / "out" / file.name).read_bytes()


def test_a_folder_without_arrays_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no arrays.json; give a folder that `dolmino retokenize` finished"):
        TokenArrays.open(str(tmp_path))


def put(*keys: Any) -> Any:
    """Change one value of the stored JSON."""

    def change(stored: Any) -> None:
        at = stored
        for key in keys[:-2]:
            at = at[key]
        at[keys[-2]] = keys[-1]

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (put("dolmino_arrays", 2), "arrays of format 2; this dolmino reads 1"),
        (put("dtype", "uint32"), "dtype uint32 for 400 ids, expected uint16"),
        (put("dtype", "uint8"), "damaged"),
        (put("totals", "tokens", 1), "totals.tokens is 1, its files have"),
        (put("files", 0, "tokens", 5), "part-00000-00000.npy: .* bytes, 5 tokens"),
        (put("tokenizer", {}), "damaged"),
        (put("files", []), "totals.tokens is"),
    ],
)
def test_a_damaged_description_is_refused(made: TokenArrays, tmp_path: Path, change: Any, problem: str) -> None:
    path = tmp_path / "out" / "arrays.json"
    stored = json.loads(path.read_text())
    change(stored)
    path.write_text(json.dumps(stored))
    with pytest.raises(DataError, match=problem):
        TokenArrays.open(str(tmp_path / "out"))


def test_json_cut_short_is_refused(made: TokenArrays, tmp_path: Path) -> None:
    path = tmp_path / "out" / "arrays.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(DataError, match=r"arrays.json: damaged"):
        TokenArrays.open(str(tmp_path / "out"))


@pytest.mark.parametrize("name", ["part-00000-00000.npy", "part-00000-00000.csv.gz"])
def test_a_missing_file_is_noticed(made: TokenArrays, tmp_path: Path, name: str) -> None:
    (tmp_path / "out" / name).unlink()
    with pytest.raises(DataError, match=r"part-00000-00000.npy: arrays.json says"):
        TokenArrays.open(str(tmp_path / "out"))


def test_a_file_of_another_size_is_noticed(made: TokenArrays, tmp_path: Path) -> None:
    with (tmp_path / "out" / "part-00000-00000.npy").open("ab") as file:
        file.write(b"\0\0")
    with pytest.raises(DataError, match=r"part-00000-00000.npy: arrays.json says"):
        TokenArrays.open(str(tmp_path / "out"))


def test_the_index_has_the_name_of_its_array() -> None:
    file = ArrayFile(name="part-00003-00001.npy", tokens=1, documents=1, bytes=2, sha256="", index_sha256="")
    assert file.index_name == "part-00003-00001.csv.gz"
