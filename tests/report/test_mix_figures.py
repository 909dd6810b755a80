"""A mix's figures are the lock's and its provenance's, added up by hand here."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from dolmino_cli.errors import DataError
from dolmino_cli.mix.provenance import SCHEMA, read_provenance
from dolmino_cli.report.figures.gathered import gather
from dolmino_cli.report.figures.mix_figures import MixFigures
from dolmino_cli.report.phrases import mix_size
from tests.report.make import make_mix


def only(folder: Path) -> MixFigures:
    (mix,) = gather([str(folder)], examples=0).mixes
    return mix


def test_shares_of_sources_and_groups(tmp_path: Path) -> None:
    mix = only(make_mix(tmp_path))
    assert [(share.name, share.available, share.planned, share.taken, share.documents) for share in mix.sources] == [
        ("web", 300, 150, 150, 15),
        ("math/a", 28, 56, 56, 6),
        ("math/b", 40, 40, 40, 8),
    ]
    (math,) = mix.groups
    assert (math.name, math.taken, math.published_mix_percent, math.is_group) == ("math", 96, 40.0, True)
    assert [share.source_percent for share in (*mix.sources, math)] == [50, 200, 100, 100 * 96 / 68]
    assert [round(share.mix_percent, 6) for share in (*mix.sources, math)] == [60.97561, 22.764228, 16.260163, 39.02439]
    assert (mix.tokens, mix.documents, mix.parts, mix.is_sampled) == (246, 29, 1, True)


def test_what_was_published_of_the_mix_and_of_a_group_of_one(tmp_path: Path) -> None:
    folder = make_mix(tmp_path)
    lock = json.loads((folder / "small.lock.json").read_text())
    del lock["manifest"]["sources"]["math/b"], lock["sources"]["math/b"]
    lock["manifest"]["expect"] = {"tokens": 200, "mix_percent": {"math": 25.0}}
    lock["outputs"] = None
    (folder / "small.lock.json").write_text(json.dumps(lock))
    mix = only(folder)
    assert [share.published_mix_percent for share in mix.sources] == [None, 25.0]
    assert (mix.groups, mix_size(mix)) == ((), "206 tokens, published as 200, not sampled yet")


def test_windows_and_the_tail(tmp_path: Path) -> None:
    mix = only(make_mix(tmp_path))
    assert (mix.sequence_length, mix.windows, mix.tail_tokens) == (16, 246 // 16, 246 % 16)


def test_lengths_are_those_of_the_documents_taken(tmp_path: Path) -> None:
    web, a, b = only(make_mix(tmp_path)).lengths
    assert (web.documents, web.tokens, web.most, web.octaves) == (15, 150, 10, (0, 0, 0, 15))
    assert (a.documents, a.tokens, a.most, a.octaves) == (6, 56, 16, (0, 0, 2, 2, 2))
    assert (b.median, b.octaves) == (4, (0, 0, 8))  # 5, to within a ninth part of an octave


def test_a_lock_without_its_arrays_has_no_lengths(tmp_path: Path) -> None:
    folder = make_mix(tmp_path)
    next(folder.glob("*.documents.arrow")).unlink()
    assert only(folder).lengths == ()


def test_provenance_of_other_documents_is_refused(tmp_path: Path) -> None:
    folder = make_mix(tmp_path)
    path = next(folder.glob("*.documents.arrow"))
    rows = pa.Table.from_batches([read_provenance(str(path))]).slice(0, 28).combine_chunks().to_batches()[0]
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as file:
        file.write_batch(rows)
    with pytest.raises(DataError, match=r"sample the mix again"):
        only(folder)


def test_a_lock_of_what_is_not_sampled_yet(tmp_path: Path) -> None:
    folder = make_mix(tmp_path)
    lock = json.loads((folder / "small.lock.json").read_text())
    lock["outputs"] = None
    for source in lock["sources"].values():
        source["repeated_ids"] = None
    (tmp_path / "planned").mkdir()
    (tmp_path / "planned" / "small.lock.json").write_text(json.dumps(lock))
    mix = only(tmp_path / "planned")
    assert (mix.is_sampled, mix.tokens, mix.windows, mix.lengths) == (False, 246, 0, ())
