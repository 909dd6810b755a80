"""Small inputs for the rewriting tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zstandard

from tests.cli.run import Outcome

KEY = "sk-secret-0123456789"
Rewrite = Callable[..., Outcome]

TEMPLATE = """\
name: say-again
model: tiny
prompt: "Say again: {text}"
sampling: {max_tokens: 64, temperature: 0.7, seed: 7}
"""


def write_template(path: Path, text: str = TEMPLATE, **replaced: str) -> Path:
    """The template above, with lines `key: value` replaced or added."""
    lines = {line.partition(":")[0]: line for line in text.splitlines()} | {
        key: f"{key}: {value}" for key, value in replaced.items()
    }
    path.write_text("\n".join(lines.values()) + "\n")
    return path


def write_documents(path: Path, count: int, *, first: int = 0, **metadata: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    documents = [
        {"id": f"d{i}", "text": f"There are {i} apples", "metadata": {"n": i, **metadata}} for i in range(first, first + count)
    ]
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return path


def documents_of(output: Path) -> list[dict[str, Any]]:
    lines: list[bytes] = []
    for path in sorted((output / "documents").rglob("*.jsonl.zst")):
        lines += zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes()).splitlines()
    return [json.loads(line) for line in lines]


def stored_digests(journal: Path) -> list[str]:
    """sha256 of the body of every request whose answer lies in the journal, in order; an unfinished last line is none."""
    whole = [line for path in journal.rglob("*.answers") for line in path.read_bytes().splitlines(keepends=True)[1:]]
    outcomes = [json.loads(line) for line in whole if line.endswith(b"\n")]
    return [outcome["request"] for outcome in outcomes if outcome["kind"] == "answer"]


def number_of(request: dict[str, Any]) -> int:
    """Of the document that the request is about."""
    return int(request["messages"][-1]["content"].split()[-2])
