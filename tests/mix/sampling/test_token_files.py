"""Documents are read from wherever they lie, in any order, and a file that is not what it was is an error, not a crash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dolmino_cli.errors import StorageError
from dolmino_cli.mix.sampling import token_files
from dolmino_cli.mix.sampling.token_files import TokenFiles, slabs


@pytest.mark.parametrize("most_open", [1, 128])
@pytest.mark.parametrize("span", [64, 1 << 20])
def test_documents_come_in_the_order_asked_for(
    tmp_path: Path, most_open: int, span: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_files, "_MOST_OPEN", most_open)
    monkeypatch.setattr(token_files, "_SPAN_BYTES", span)
    rng = np.random.default_rng(0)
    contents = [rng.integers(0, 256, size, dtype=np.uint8) for size in (100_000, 7, 30_000)]
    paths = [tmp_path / str(number) for number in range(3)]
    for path, content in zip(paths, contents, strict=True):
        content.tofile(path)
    documents = [(0, start, min(97, 100_000 - start)) for start in range(0, 100_000, 97)]
    documents += [(1, 0, 7), (2, 0, 10_000), (2, 10_000, 0), (2, 10_000, 1), (2, 25_000, 5_000)]
    documents = [documents[i] for i in rng.permutation(len(documents))] * 2  # a document may be wanted twice
    with TokenFiles(paths) as files:
        for chosen in (documents, documents[:5], documents[:1], []):
            numbers, starts, lengths = np.array(chosen, np.int64).reshape(-1, 3).T.copy()
            out = np.empty(int(lengths.sum()), np.uint8)
            files.read(numbers, starts, lengths, out)
            expected = b"".join(contents[number][start : start + length].tobytes() for number, start, length in chosen)
            assert out.tobytes() == expected


def test_a_file_cut_short_during_the_run_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "tokens.npy").write_bytes(bytes(1000))
    with TokenFiles([tmp_path / "tokens.npy", tmp_path / "gone.npy"]) as files:
        one = np.array([990]), np.array([11]), np.empty(11, np.uint8)
        with pytest.raises(
            StorageError, match=r"cannot read .*tokens\.npy: it ends before byte 990; was it changed during the run\?"
        ):
            files.read(np.array([0]), *one)
        with pytest.raises(StorageError, match=r"gone\.npy"):
            files.read(np.array([1]), *one)


def test_slabs_hold_whole_documents() -> None:
    lengths = np.array([5, 5, 5, 20, 1, 9, 1, 0])
    assert list(slabs(lengths, 10)) == [(0, 2), (2, 3), (3, 4), (4, 6), (6, 8)]
    assert list(slabs(lengths[:0], 10)) == []
