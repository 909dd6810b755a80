"""--part-size, --max-document and --memory-per-worker, as typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.run import dolmino
from tests.pipeline.make import line, recipe, write_shard


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    recipe(tmp_path)
    return write_shard(tmp_path / "in/a.jsonl.zst", [line(1, 5, 7), line(2, 300, 7)]).parent


def test_sizes_are_recorded_and_the_count_is_shown(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ("--part-size", "1MiB", "--max-document", "250")
    said = dolmino(monkeypatch, capsys, "filter", tmp_path / "recipe.yaml", shards, "-o", tmp_path / "out", *sizes)
    assert said.code == 0 and "1 records quarantined" in said.out
    recorded = json.loads((tmp_path / "out/run.json").read_text())["options"]
    assert (recorded["part_bytes"], recorded["max_document_bytes"]) == (1 << 20, 250)
    other = dolmino(monkeypatch, capsys, "filter", tmp_path / "recipe.yaml", shards, "-o", tmp_path / "out")
    assert other.code == 2 and "recipe.options.part_bytes: 1048576 -> 268435456" in other.err


@pytest.mark.parametrize(
    ("verb", "given", "said"),
    [
        ("filter", ("--part-size", "0"), "part size 0: give 1 byte or more"),
        ("score", ("--max-document", "0"), "largest document 0: give 1 byte or more"),
        ("filter", ("--max-document", "big"), "--max-document 'big': give a size such as 4GiB"),
        ("filter", ("--memory-per-worker", "512MiB"), "give --max-document 32MiB or less"),
    ],
)
def test_what_cannot_be_is_refused(
    shards: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    verb: str,
    given: tuple[str, str],
    said: str,
) -> None:
    found = dolmino(monkeypatch, capsys, verb, tmp_path / "recipe.yaml", shards, "-o", tmp_path / "out", *given)
    assert found.code == 2 and said in found.err
