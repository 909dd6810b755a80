"""What arrays there are for a mix's sources, and what a person is told of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dolmino_cli.mix.manifest import Manifest, Source
from dolmino_cli.mix.populations import open_arrays, tokenizer_warning
from tests.mix.make import TOKENIZER, documents_of, write_arrays


@pytest.mark.parametrize(
    ("made_with", "named", "warned"),
    [
        ("lab/tok", "lab/tok", False),
        ("lab/tok", "lab/tok@v1", False),  # arrays keep a hub id without its revision, and the bytes' sha256
        ("copies/tok/", "lab/tok", False),
        ("tok2", "lab/tok", True),
        ("lab/tok", "lab/tok2@v1", True),
    ],
)
def test_a_tokenizer_of_another_name_is_said(tmp_path: Path, made_with: str, named: str, warned: bool) -> None:
    write_arrays(tmp_path / "web", documents_of(5), tokenizer=replace(TOKENIZER, name=made_with))
    source = Source(arrays=str(tmp_path / "web"), source_percent=100)
    manifest = Manifest(name="m", tokenizer=named, seed=1, sources={"web": source})
    assert (tokenizer_warning(manifest, open_arrays(manifest)) is not None) == warned
