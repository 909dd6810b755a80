"""What Megatron-LM and datatrove are given holds every document, read back by the formats' definitions."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.mix.exchange import documents as reading
from dolmino_cli.mix.exchange.export_arrays import ArrayExport, ArrayFormat, plan_export, write_export
from dolmino_cli.mix.exchange.export_mix import plan_list
from dolmino_cli.mix.exchange.file_list import FileList
from dolmino_cli.mix.exchange.what import SampledMix, open_what
from dolmino_cli.mix.sampling.sample import sample
from dolmino_cli.shards.storage import Output
from tests.mix.make import Document, contents, documents_of, read_arrays, write_arrays, write_manifest
from tests.s3_server import S3Server

WEB = documents_of(*[2 + (i * 7) % 20 for i in range(60)], prefix="w")
MATH = documents_of(5, 6, 7, 8, 9, 10, 11, prefix="m")
SHARES = {"web": "source_percent: 30", "math": "source_percent: 250"}


@pytest.fixture
def mix(tmp_path: Path) -> Path:
    """A sampled mix of several parts beside the arrays that it is of."""
    for name, documents in (("web", WEB), ("math", MATH)):
        write_arrays(tmp_path / "tokens" / name, documents, groups=3, tokens_per_file=100)
    manifest = write_manifest(tmp_path / "small.yaml", **SHARES)
    sample(manifest, output=str(tmp_path / "mix"), arrays_root=str(tmp_path / "tokens"), tokens_per_file=100)
    return tmp_path / "mix"


def export(what: str, to: ArrayFormat, output: Path | str, arrays: Path | None = None, **options: int | None) -> ArrayExport:
    opened = open_what(what, arrays_root=str(arrays) if arrays else None)
    assert not isinstance(opened, FileList)
    sizes = {"sequence_length": None, "batch_sequences": None} | options
    planned = plan_export(opened, to, root=str(output), prefix=None, **sizes)
    write_export(planned, Output(str(output)))
    return planned


def read_megatron(stem: Path) -> tuple[str, list[tuple[int, ...]], list[int]]:
    """dtype, sequences and document bounds by the documented bytes of indexed_dataset.py alone."""
    index, data = stem.with_suffix(".idx").read_bytes(), stem.with_suffix(".bin").read_bytes()
    magic, version, code, sequences, bounds = struct.unpack_from("<9sQBQQ", index)
    assert (magic, version) == (b"MMIDIDX\x00\x00", 1)
    letter, size, name = {4: ("i", 4, "int32"), 8: ("H", 2, "uint16")}[code]
    at = 9 + 8 + 1 + 8 + 8
    lengths = struct.unpack_from(f"<{sequences}i", index, at)
    pointers = struct.unpack_from(f"<{sequences}q", index, at + 4 * sequences)
    documents = struct.unpack_from(f"<{bounds}q", index, at + 12 * sequences)
    assert len(index) == at + 12 * sequences + 8 * bounds
    assert len(data) == size * sum(lengths)
    found = [struct.unpack_from(f"<{length}{letter}", data, start) for length, start in zip(lengths, pointers, strict=True)]
    return name, found, list(documents)


def bodies(documents: list[Document]) -> list[tuple[int, ...]]:
    return [document.tokens for document in documents]


def test_megatron_reads_a_mix(tmp_path: Path, mix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_CHUNK_BYTES", 64)
    planned = export(str(mix), "megatron", tmp_path / "out", sequence_length=8, batch_sequences=4)
    dtype, found, bounds = read_megatron(tmp_path / "out" / "small")
    expected = bodies(read_arrays(mix))
    assert len([path for path in mix.iterdir() if path.suffix == ".npy"]) > 2
    assert (dtype, found, bounds) == ("uint16", expected, list(range(len(expected) + 1)))
    assert {name: len(data) for name, data in contents(tmp_path / "out").items()} == dict(planned.files)
    tokens = sum(map(len, expected))
    assert (tmp_path / "out" / "data-path.txt").read_text() == f"{tokens} {tmp_path}/out/small\n"
    arguments = (tmp_path / "out" / "megatron.args").read_text().split()
    assert arguments == ["--train-iters", str(-(-tokens // 32)), "--seq-length", "8", "--global-batch-size", "4"]


def test_megatron_blends_sources_by_the_tokens_to_take(tmp_path: Path, mix: Path) -> None:
    """A manifest and its lock ask for the same; a source may be in a folder of its group."""
    for what, folder in ((str(tmp_path / "small.yaml"), "manifest"), (str(mix / "small.lock.json"), "lock")):
        planned = export(what, "megatron", tmp_path / folder, tmp_path / "tokens")
        assert planned.steps is None
        assert read_megatron(tmp_path / folder / "web")[1] == bodies(WEB)
        assert read_megatron(tmp_path / folder / "math")[1] == bodies(MATH)
        web, math = round(0.3 * sum(map(len, bodies(WEB)))), 140
        root = tmp_path / folder
        assert (root / "data-path.txt").read_text() == f"{web} {root}/web\n{math} {root}/math\n"


def test_datatrove_files_are_the_same_bytes_and_the_documents_ends(tmp_path: Path, mix: Path) -> None:
    planned = export(str(mix), "datatrove", tmp_path / "out")
    written = contents(tmp_path / "out")
    assert {name: len(data) for name, data in written.items()} == dict(planned.files)
    found = []
    for part in sorted(mix.glob("*.npy")):
        data, index = written[f"{part.stem}.ds"], written[f"{part.stem}.ds.index"]
        assert data == part.read_bytes()
        assert (tmp_path / "out" / f"{part.stem}.ds").stat().st_ino == part.stat().st_ino
        tokens, ends = np.frombuffer(data, "<u2"), struct.unpack(f"<{len(index) // 8}Q", index)
        found += [tuple(map(int, tokens[start:end])) for start, end in zip((0, *ends), ends, strict=False)]
        assert written[f"{part.stem}.ds.metadata"].decode() == f"tiny|2\n{len(tokens)}\n{_digits(len(tokens))} T"
    assert found == bodies(read_arrays(mix))


def _digits(tokens: int) -> str:
    return f"{tokens:.{3 - len(str(tokens))}f}"


def test_sources_go_to_datatrove_in_folders_of_their_own(tmp_path: Path, mix: Path) -> None:
    export(str(tmp_path / "small.yaml"), "datatrove", tmp_path / "out", tmp_path / "tokens")
    names = {path.relative_to(tmp_path / "out").parts[0] for path in (tmp_path / "out").rglob("*.ds")}
    assert names == {"web", "math"}
    assert (tmp_path / "out" / "data-path.txt").read_text().split()[1::2] == [f"{tmp_path}/out/web", f"{tmp_path}/out/math"]


@pytest.mark.parametrize("to", ["megatron", "datatrove"])
def test_s3_gives_the_same_bytes(tmp_path: Path, mix: Path, s3: S3Server, to: ArrayFormat) -> None:
    export(str(mix), to, tmp_path / "local")
    there = Output(s3.uri(f"exchange/{to}"))
    for path in mix.iterdir():
        there.put(f"mix/{path.name}", path.read_bytes())
    export(s3.uri(f"exchange/{to}/mix"), to, there.path("out"))
    for name, data in contents(tmp_path / "local").items():
        if name != "data-path.txt":
            assert there.read(f"out/{name}") == data, name


def test_a_flipped_bit_is_found(tmp_path: Path, mix: Path) -> None:
    """In tokens and in the documents' ends alike, and nothing is shown of what was made from them."""
    for suffix in (".npy", ".documents.arrow"):
        path = sorted(mix.glob(f"*{suffix}"))[-1]
        whole = path.read_bytes()
        at = len(whole) // 4 * 2  # the low byte of an id: still one of the vocabulary
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(DataError, match=f"{path.name}.*was changed"):
            export(str(mix), "megatron", tmp_path / "out")
        assert contents(tmp_path / "out") == {}
        path.write_bytes(whole)


def test_what_is_no_mix_and_an_output_of_something_else_are_refused(tmp_path: Path, mix: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "part-00099.ds").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"holds files of something else \(part-00099.ds\)"):
        export(str(mix), "datatrove", tmp_path / "other")
    with pytest.raises(ConfigError, match="no token arrays for web, math; give --arrays"):
        open_what(str(tmp_path / "small.yaml"), arrays_root=None)
    with pytest.raises(ConfigError, match="holds 0 locks"):
        open_what(str(tmp_path / "tokens" / "web"), arrays_root=None)
    with pytest.raises(ConfigError, match="is a folder of arrays already"):
        open_what(str(mix), arrays_root="tokens")
    write_arrays(tmp_path / "tokens" / "math", MATH[:3])
    with pytest.raises(ConfigError, match="the arrays of math are not those of the lock"):
        open_what(str(mix / "small.lock.json"), arrays_root=str(tmp_path / "tokens"))


def test_lists_of_a_mix_and_of_its_sources(tmp_path: Path, mix: Path) -> None:
    opened = open_what(str(mix), arrays_root=None)
    assert isinstance(opened, SampledMix)
    listed = plan_list(opened, "olmo", output=str(tmp_path), prefix="s3://bucket/mix").listing.files
    parts = [(f"s3://bucket/mix/{file.name}", file.tokens) for file in opened.arrays.files]
    assert [(file.path, file.tokens) for file in listed.files] == parts
    with pytest.raises(ConfigError, match=r"--prefix preprocessed/small/\{TOKENIZER\}"):
        plan_list(opened, "olmo-core", output=str(tmp_path), prefix=None)
    sources = open_what(str(tmp_path / "small.yaml"), arrays_root=str(tmp_path / "tokens"))
    picked = plan_list(sources, "olmo", output=str(tmp_path), prefix="s3://b")
    taken = {name: [file for file in picked.listing.files.files if file.source == name] for name in SHARES}
    for name, target in (("web", round(0.3 * sum(map(len, bodies(WEB))))), ("math", 140)):
        tokens = [file.tokens or 0 for file in taken[name]]
        assert target <= sum(tokens) < target + max(tokens)
        assert all(file.path.startswith(f"s3://b/{name}/part-") for file in taken[name])
    assert [note.split(":")[0] for note in picked.notes] == ["web", "math"]
    mixture = plan_list(sources, "source-mixture", output=str(tmp_path), prefix="s3://b").listing.files
    assert mixture.shares["math"].max_repetition_ratio == 3
    assert sum(share.target_ratio for share in mixture.shares.values()) == pytest.approx(1)
