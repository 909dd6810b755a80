"""Rows as the publishers of mathematics and code have them become documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dolmino_cli.bundled import find
from dolmino_cli.recipe import load_recipe
from dolmino_cli.shards.reading import read_batches
from tests.pipeline.make import write_shard

FUNCTION, ADDRESS = 'def one():\n    """One."""\n    return 1', "https://example.org/one.py#L1-L3"
ROWS: list[tuple[str, dict[str, Any], str, str | None]] = [
    ("metamath", {"type": "AnsAug", "query": "What is 1 + 1?", "response": "It is 2."}, "What is 1 + 1?\nIt is 2.", None),
    ("mathcoder2-synth", {"prompt": "Write of sums.", "text": "Sums are made of terms."}, "Sums are made of terms.", None),
    ("codesearchnet-owm", {"whole_func_string": FUNCTION, "func_code_url": ADDRESS, "language": "python"}, FUNCTION, ADDRESS),
    ("codesearchnet-owm", {"original_string": FUNCTION, "url": ADDRESS, "partition": "train"}, FUNCTION, ADDRESS),
    ("codesearchnet", {"whole_func_string": FUNCTION, "func_code_url": ADDRESS}, FUNCTION, ADDRESS),
    ("gsm8k", {"question": "What is 1 + 1?", "answer": "#### 2"}, "What is 1 + 1?\n#### 2", None),
]


@pytest.mark.parametrize(("recipe", "row", "text", "name"), ROWS, ids=[f"{row[0]}-{next(iter(row[1]))}" for row in ROWS])
def test_a_row_becomes_a_document(tmp_path: Path, recipe: str, row: dict[str, Any], text: str, name: str | None) -> None:
    shard = write_shard(tmp_path / "a.jsonl.zst", [json.dumps(row).encode()])
    ((batch, unreadable),) = read_batches(str(shard), rows=load_recipe(find("filters", recipe)).rows)
    assert (batch.text.to_pylist(), unreadable) == ([text], [])
    assert json.loads(batch.record[0].as_py())["metadata"] == row
    assert batch.id.to_pylist() == [name] if name else len(batch.id[0].as_py()) == 16
