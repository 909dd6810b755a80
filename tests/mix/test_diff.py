"""Diff says what is not the same in two manifests or locks, and nothing when nothing is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.diff import InputChange, Setting, diff
from dolmino_cli.mix.sampling.sample import sample
from dolmino_cli.report.mix_diff import diff_json, diff_lines
from tests.mix.make import documents_of, write_arrays, write_manifest

WEB = documents_of(*[2 + (i * 7) % 20 for i in range(60)], prefix="w")
MATH = documents_of(5, 6, 7, 8, 9, prefix="m")
SHARES = {"web": "source_percent: 30", "math": "source_percent: 250"}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder with tokens/, small.yaml and the mix/ of it."""
    write_arrays(tmp_path / "tokens" / "web", WEB, groups=2, tokens_per_file=200)
    write_arrays(tmp_path / "tokens" / "math", MATH)
    build(tmp_path, "mix", **SHARES)
    return tmp_path


def build(made: Path, output: str, *, seed: int = 42, tokens_per_file: int = 100, **shares: str) -> None:
    manifest = write_manifest(made / "small.yaml", seed=seed, **shares)
    sample(manifest, output=str(made / output), arrays_root=str(made / "tokens"), tokens_per_file=tokens_per_file)


def test_a_mix_is_the_same_as_itself_its_copy_and_its_manifest(made: Path) -> None:
    shutil.copytree(made / "mix", made / "copy")
    lock, folder, manifest = str(made / "mix" / "small.lock.json"), str(made / "copy"), str(made / "small.yaml")
    same = diff(lock, folder)
    assert not same.differs and same.outputs_equal and same.by_taken
    assert list(diff_lines(same)) == ["the outputs are the same bytes"]
    for arrays_root in (str(made / "tokens"), None):  # without arrays, by the sizes that the lock has
        planned = diff(manifest, folder, arrays_root=arrays_root)
        assert not planned.differs and planned.outputs_equal is None and not planned.by_taken


def test_two_locks_that_take_other_amounts(made: Path) -> None:
    write_arrays(made / "tokens" / "book", documents_of(30, 30, prefix="b"))
    shares = {"web": "source_percent: 60", "book": "tokens: 30", "math": "source_percent: 250"}
    build(made, "other", seed=43, tokens_per_file=50, **shares)
    found = diff(str(made / "mix"), str(made / "other"))
    assert found.differs and found.outputs_equal is False
    assert found.settings == (
        Setting(name="seed", before="42", after="43"),
        Setting(name="tokens_per_file", before="100", after="50"),
    )
    rows = {row.name: row for row in found.rows}
    assert rows["book"].before is None and rows["book"].tokens_difference == 30
    taken = {side: json.loads((made / side / "small.lock.json").read_text())["sources"] for side in ("mix", "other")}
    moved = taken["other"]["web"]["taken_tokens"] - taken["mix"]["web"]["taken_tokens"]
    assert rows["web"].tokens_difference == moved > 0
    assert {change.source for change in found.inputs} == {"book"} and all(change.before is None for change in found.inputs)


def test_changed_input_files_are_named_with_their_sha256(made: Path) -> None:
    old = json.loads((made / "tokens" / "web" / "arrays.json").read_text())["files"][-1]
    write_arrays(made / "tokens" / "web", [*WEB[:-1], *documents_of(9, seed=5)], groups=2, tokens_per_file=200)
    new = json.loads((made / "tokens" / "web" / "arrays.json").read_text())["files"][-1]
    build(made, "other", **SHARES)
    changes = diff(str(made / "mix"), str(made / "other")).inputs
    name = old["name"]
    assert InputChange(source="web", file=name, before=old["sha256"], after=new["sha256"]) in changes
    assert {change.file for change in changes} == {"arrays.json", name, name.replace(".npy", ".csv.gz")}


def test_bundled_mixes_are_compared_by_what_was_published() -> None:
    found = diff("dolmino-1124-50b", "dolmino-1124-100b")
    shown = diff_json(found)
    flan = next(row for row in shown["rows"] if row["name"] == "flan")
    assert flan["tokens_difference"] == 8_500_000_000
    assert (flan["a"]["source_percent"], flan["b"]["source_percent"]) == (50.0, 100.0)
    assert shown["differs"] and shown["outputs_equal"] is None and shown["tokens"] == "planned"
    total = sum(row["tokens_difference"] for row in shown["rows"] if not row["is_group"])
    assert total == found.after.planned.tokens - found.before.planned.tokens


def test_what_is_neither_manifest_nor_lock_is_refused(made: Path) -> None:
    with pytest.raises(ConfigError, match="no bundled mix 'nothing'"):
        diff("nothing", str(made / "mix"))
    with pytest.raises(ConfigError, match="tokens holds no lock"):
        diff(str(made / "mix"), str(made / "tokens"))
