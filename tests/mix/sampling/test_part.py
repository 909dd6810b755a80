"""What lies beside a part: its documents as the rows have them, and the windows that repeat themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dolmino_cli.kernels.keyed_hash import hash_strings
from dolmino_cli.mix.keys import order_key
from dolmino_cli.mix.provenance import provenance_name, read_provenance
from dolmino_cli.mix.sampling import token_files
from dolmino_cli.mix.sampling.repeated import WindowSearch
from dolmino_cli.mix.sampling.sample import sample
from dolmino_cli.mix.windows import repeated_name, unpack_windows
from dolmino_cli.tokens.arrays import TokenArrays
from tests.kernels.test_repetition import definition
from tests.mix.make import EOS, Document, documents_of, read_lock, write_arrays, write_manifest

WEB = documents_of(*[2 + (i * 7) % 20 for i in range(60)], prefix="w", src="a.jsonl")
MATH = [*documents_of(5, 6, 7, prefix="m"), *documents_of(8, 9, prefix="n", src='odd, "name".jsonl')]
LOUD = [Document(f"l{i}", (*[1] * (10 + 12 * i), EOS), "loud.jsonl", i + 1) for i in range(8)]


def made(folder: Path, **options: object) -> TokenArrays:
    for name, documents in (("web", WEB), ("math", MATH), ("loud", LOUD)):
        write_arrays(folder / "tokens" / name, documents, tokens_per_file=100)
    shares = {"web": "source_percent: 60", "math": "source_percent: 250", "loud": "source_percent: 200"}
    manifest = write_manifest(folder / "small.yaml", **shares)
    sample(manifest, output=str(folder / "mix"), arrays_root=str(folder / "tokens"), tokens_per_file=400, **options)  # type: ignore[arg-type]
    return TokenArrays.open(str(folder / "mix"))


def test_the_documents_of_a_part_are_its_rows_with_key_source_and_copy(tmp_path: Path) -> None:
    arrays = made(tmp_path)
    names = ["web", "math", "loud"]
    assert len(arrays.files) > 1
    copies = set()
    for file in arrays.files:
        rows = pa.Table.from_batches(arrays.iter_documents(file)).to_pylist()
        found = read_provenance(arrays.path(provenance_name(file.name))).to_pylist()
        assert [row["end"] for row in found] == [row["end"] for row in rows]
        assert [row["id"] for row in found] == [row["id"] for row in rows]
        assert [f"{names[row['source']]}:{row['src']}" for row in found] == [row["src"] for row in rows]
        assert [row["loc"] for row in found] == [row["loc"] for row in rows]
        for row in found:
            under = order_key(42, names[row["source"]], row["copy"])
            assert row["key"] == int(hash_strings(pa.array([row["id"]], pa.large_string()), under)[0])
            copies.add((names[row["source"]], row["copy"]))
        assert [row["key"] for row in found] == sorted(row["key"] for row in found)
    assert copies == {("web", 0), ("math", 0), ("math", 1), ("math", 2), ("loud", 0), ("loud", 1)}


@pytest.mark.parametrize("sequence_length", [64, 100])
def test_windows_that_repeat_themselves_are_marked_and_counted(
    tmp_path: Path, sequence_length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_files, "SLAB_BYTES", 74)
    arrays = made(tmp_path, sequence_length=sequence_length)
    outputs = read_lock(tmp_path / "mix")["outputs"]
    assert isinstance(outputs, list)
    marked = 0
    for file, output in zip(arrays.files, outputs, strict=True):
        tokens = arrays.memmap(file).tolist()
        windows = [
            tokens[start : start + sequence_length] for start in range(0, len(tokens) - sequence_length + 1, sequence_length)
        ]
        expected = [definition(window, 13) >= 32 for window in windows]
        stored = (tmp_path / "mix" / repeated_name(file.name)).read_bytes()
        assert unpack_windows(stored, len(windows)).tolist() == expected
        assert (output["windows"], output["repeated_windows"]) == (len(windows), sum(expected))
        marked += sum(expected)
    assert marked


def test_a_window_is_the_same_in_whatever_pieces_it_comes() -> None:
    quiet = np.arange(1000, dtype=np.uint16)
    tokens = np.concatenate([part for p in range(1, 14) for part in (quiet[:100], np.tile(quiet[:p], 32), quiet)])
    whole = WindowSearch(416, np.uint16)
    whole.add(tokens)
    for piece in (1, 5, 415, 416, 417, 1000):
        search = WindowSearch(416, np.uint16)
        for start in range(0, len(tokens), piece):
            search.add(tokens[start : start + piece])
        assert np.array_equal(search.found(), whole.found())
    assert whole.found().any()
    assert not whole.found().all()
