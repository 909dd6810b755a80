"""Megatron's arithmetic, and the bounds of its format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.shards.storage import Output
from dolmino_cli.tokens.megatron import megatron_bytes, megatron_dtype, train_iterations, write_megatron


@pytest.mark.parametrize(
    ("tokens", "iterations"), [(55_797_411_281, 6_652), (113_460_356_693, 13_526), (337_680_000_000, 40_255)]
)
def test_iterations_are_those_of_llm_jp(tokens: int, iterations: int) -> None:
    """Batches of 1,024 sequences of 8,192 tokens (their scripts); the 300B mix's tokens are of the blog's Table 3."""
    assert train_iterations(tokens, sequence_length=8192, batch_sequences=1024) == iterations


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="batch_sequences 0; both must be at least 1"):
        train_iterations(1, sequence_length=1, batch_sequences=0)


@pytest.mark.parametrize(("size", "dtype"), [(65_499, "uint16"), (65_500, "int32"), (65_536, "int32"), (100_278, "int32")])
def test_uint16_is_for_fewer_than_65500_ids(size: int, dtype: str) -> None:
    assert megatron_dtype(size) == dtype


@pytest.mark.parametrize(("size", "stored"), [(65_536, "<u2"), (100_278, "<u4")])
def test_larger_vocabularies_are_int32(tmp_path: Path, size: int, stored: str) -> None:
    ids = np.array([1, size - 1, 3, 65_499], stored)
    chunks = [(np.array([1, 0]), ids[:1]), (np.array([3]), ids[1:])]
    written = write_megatron(Output(str(tmp_path)), "x", chunks, documents=3, tokens=4, vocabulary_size=size, path="p")
    assert np.fromfile(tmp_path / "x.bin", "<i4").tolist() == [1, size - 1, 3, 65_499]
    assert written.bytes == megatron_bytes(3, 4, size) == sum(path.stat().st_size for path in tmp_path.iterdir())
    index = (tmp_path / "x.idx").read_bytes()
    assert np.frombuffer(index[34:], "<i4")[:3].tolist() == [1, 0, 3]
    assert np.frombuffer(index[34 + 12 :], "<i8").tolist() == [0, 4, 4, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("lengths", "ids", "documents", "problem"),
    [
        ([2], [1, 9], 1, "id 9 is not below the vocabulary's 9"),
        ([1], [1, 2], 1, "documents of 1 tokens, but 2 tokens"),
        ([2], [1, 2], 2, "holds 1 documents of 2 tokens; 2 of 2 are described"),
    ],
)
def test_damaged_arrays_are_refused_and_nothing_is_shown(
    tmp_path: Path, lengths: list[int], ids: list[int], documents: int, problem: str
) -> None:
    chunks = [(np.array(lengths), np.array(ids, np.uint16))]
    with pytest.raises(DataError, match=problem):
        write_megatron(Output(str(tmp_path)), "x", chunks, documents=documents, tokens=2, vocabulary_size=9, path="p")
    assert list(tmp_path.iterdir()) == []
