"""Exports where something is nothing, or is there already."""

from __future__ import annotations

from pathlib import Path

import pytest

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.mix.exchange.export_arrays import ArrayExport, ArrayFormat, plan_export, write_export
from dolmino_cli.mix.exchange.export_mix import ListFormat, plan_list
from dolmino_cli.mix.exchange.what import SourceArraysOfMix, open_what
from dolmino_cli.shards.storage import Output
from tests.mix.make import contents, documents_of, write_arrays, write_manifest


@pytest.fixture
def sources(tmp_path: Path) -> SourceArraysOfMix:
    """A mix that takes half of web and, its 11 tokens being so few, nothing of tiny."""
    write_arrays(tmp_path / "tokens" / "web", documents_of(*range(5, 30)), tokens_per_file=100)
    write_arrays(tmp_path / "tokens" / "tiny", documents_of(5, 6))
    manifest = write_manifest(tmp_path / "small.yaml", web="source_percent: 50", tiny="source_percent: 1")
    opened = open_what(str(manifest), arrays_root=str(tmp_path / "tokens"))
    assert isinstance(opened, SourceArraysOfMix)
    return opened


def planned(what: SourceArraysOfMix, to: ArrayFormat, root: Path) -> ArrayExport:
    return plan_export(what, to, root=str(root), prefix=None, sequence_length=None, batch_sequences=None)


def test_a_source_of_no_tokens_is_left_out_and_said(tmp_path: Path, sources: SourceArraysOfMix) -> None:
    """Megatron refuses a weight of 0, and an import a ratio of 0."""
    note = "the mix takes no token of tiny, so nothing of it is exported"
    export = planned(sources, "megatron", tmp_path / "out")
    assert export.notes == (note,)
    write_export(export, Output(str(tmp_path / "out")))
    assert sorted(contents(tmp_path / "out")) == ["data-path.txt", "web.bin", "web.idx"]
    lists: tuple[ListFormat, ...] = ("olmo", "source-mixture")
    for to in lists:
        listed = plan_list(sources, to, output=str(tmp_path), prefix=None)
        assert listed.notes[0] == note
        assert {file.source for file in listed.listing.files.files} == {"web"}


def test_a_second_export_leaves_no_partial_files(tmp_path: Path, sources: SourceArraysOfMix) -> None:
    """Renaming a hard link over another of the same file does nothing, and leaves both."""
    for _ in range(2):
        write_export(planned(sources, "datatrove", tmp_path / "out"), Output(str(tmp_path / "out")))
    assert [name for name in contents(tmp_path / "out") if name.endswith(".partial")] == []


def test_an_export_that_fails_has_no_weights(tmp_path: Path, sources: SourceArraysOfMix) -> None:
    """Also over a finished one, of which some files are replaced by then."""
    export = planned(sources, "megatron", tmp_path / "out")
    write_export(export, Output(str(tmp_path / "out")))
    damaged = next((tmp_path / "tokens" / "web").glob("*.npy"))
    damaged.write_bytes(bytes(damaged.stat().st_size))
    with pytest.raises(DataError, match="was changed"):
        write_export(export, Output(str(tmp_path / "out")))
    assert not (tmp_path / "out" / "data-path.txt").exists()


def test_a_place_with_a_space_is_refused(tmp_path: Path, sources: SourceArraysOfMix) -> None:
    """Megatron's --data-path is parted at spaces."""
    with pytest.raises(ConfigError, match="has a space"):
        planned(sources, "megatron", tmp_path / "my data")
