"""The ledger: what was done is told from what has changed, and a damaged entry is not believed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.errors import DataError
from dolmino_cli.shards.ledger import LedgerEntry, OutputFile, difference, input_identity, load, load_all, recipe_hash, save
from dolmino_cli.shards.shard import Shard
from dolmino_cli.shards.storage import Output

RECIPE = {"name": "r", "stages": [{"length": {"into": "n"}}, {"keep": {"score": "n", "at_least": 0.03}}]}
INPUT = {"path": "in/x.jsonl", "bytes": 10, "etag": "e"}
ENTRY = LedgerEntry(
    name="a/x.jsonl.zst",
    recipe=RECIPE,
    input=INPUT,
    counts={"in": 10, "kept": 6, "quarantined": 1, "dropped": {"short": 2, "long": 1}},
    bytes={"in": 10, "out": 7},
    outputs={"documents/a/x.jsonl.zst": OutputFile(bytes=7, sha256="ab")},
    seconds={"read": 0.5},
    engine={"model": "sha256:12"},
)


def test_an_entry_comes_back_equal(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    assert load(output, ENTRY.name) is None
    save(output, ENTRY)
    assert (tmp_path / "ledger" / "a" / "x.jsonl.zst.json").is_file()
    assert load(output, ENTRY.name) == ENTRY
    other = dataclasses.replace(ENTRY, name="b", counts={"tokens": 5})
    save(output, other)
    assert load_all(output) == [ENTRY, other]


def test_a_filters_counts_must_add_up() -> None:
    with pytest.raises(AssertionError, match=r"a/x\.jsonl\.zst: in 10 != kept 6 \+ dropped 3 \+ quarantined 0"):
        dataclasses.replace(ENTRY, counts={**ENTRY.counts, "quarantined": 0})


def test_recipe_hash_is_of_the_content() -> None:
    assert recipe_hash({"a": 1, "b": [2]}) == recipe_hash({"b": [2], "a": 1})
    assert recipe_hash({"a": 1}) != recipe_hash({"a": 1.5})


def test_input_identity() -> None:
    shard = Shard(path="in/x.jsonl", name="x.jsonl", bytes=10, etag="e")
    assert difference(ENTRY, recipe=RECIPE, input=input_identity(shard)) == []


@pytest.mark.parametrize(
    ("recipe", "input", "lines"),
    [
        (RECIPE, INPUT, []),
        ({**RECIPE, "stages": tuple(RECIPE["stages"])}, INPUT, []),
        (RECIPE, {**INPUT, "bytes": 12, "etag": "f"}, ["input.bytes: 10 -> 12", 'input.etag: "e" -> "f"']),
        (
            {"name": "r", "stages": [RECIPE["stages"][0], {"keep": {"score": "n", "at_least": 0.04}}]},
            INPUT,
            ["recipe.stages[1].keep.at_least: 0.03 -> 0.04"],
        ),
        (
            {"stages": [RECIPE["stages"][0]], "new": None},
            INPUT,
            [
                'recipe.name: "r" -> not there',
                'recipe.stages[1]: {"keep": {"score": "n", "at_least": 0.03}} -> not there',
                "recipe.new: not there -> null",
            ],
        ),
        ({**RECIPE, "name": "x" * 100}, INPUT, ['recipe.name: "r" -> "' + "x" * 79 + "..."]),
        ({**RECIPE, "name": {"a": 1}}, INPUT, ['recipe.name: "r" -> {"a": 1}']),
    ],
)
def test_differences_are_named(recipe: dict[str, Any], input: dict[str, Any], lines: list[str]) -> None:
    assert difference(ENTRY, recipe=recipe, input=input) == lines


def damaged(data: bytes, **changes: Any) -> bytes:
    return json.dumps({**json.loads(data), **changes}).encode()


def test_what_is_not_believed(tmp_path: Path) -> None:
    output = Output(str(tmp_path))
    save(output, ENTRY)
    path = tmp_path / "ledger" / f"{ENTRY.name}.json"
    data = path.read_bytes()
    cases = {
        "damaged ledger entry (Unterminated string": data[:-20],
        "ledger entry of format 2, this dolmino": damaged(data, format=2),
        "ledger entry of format None, this dolmino": b"[]",
        "damaged ledger entry (in 11 != kept 6 + dropped 3 + quarantined 1)": damaged(data, counts={**ENTRY.counts, "in": 11}),
        "damaged ledger entry (Expected `object`, got `int` - at `$.bytes`)": damaged(data, bytes=3),
        "damaged ledger entry (its recipe does not have its hash)": damaged(data, recipe={}),
        "damaged ledger entry ('counts')": json.dumps({"format": 1}).encode(),
    }
    for problem, content in cases.items():
        path.write_bytes(content)
        with pytest.raises(DataError) as failure:
            load(output, ENTRY.name)
        assert str(failure.value).startswith(f"{path}: {problem}"), problem
        assert "delete it to run its task again" in str(failure.value)
