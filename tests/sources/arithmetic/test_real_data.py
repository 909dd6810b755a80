"""With the real tokenizer, and against the real marks that the shares and digits were chosen by."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path

from tokenizers import Tokenizer

from dolmino_cli.sources.arithmetic.generate import generate
from tests.pipeline.make import read_lines


def test_tokens_are_those_of_dolma2(tmp_path: Path, shared_data: Path) -> None:
    tokenizer = shared_data / "tokenizers/allenai_dolma2.json"
    counts = generate(output=str(tmp_path), tokenizer=str(tokenizer), seed=42, tokens=100_000, documents_per_shard=1500)
    lines = [line for path in sorted((tmp_path / "documents").iterdir()) for line in read_lines(path)]
    encoded = Tokenizer.from_file(str(tokenizer)).encode_batch([json.loads(line)["text"] for line in lines])
    lengths = [len(one.ids) + 1 for one in encoded]
    assert sum(lengths) == counts["tokens"] >= 100_000 > sum(lengths[:-1])
    assert len(lines) == counts["documents"] > 2 * 1500


def test_what_gsm8k_computes(shared_data: Path) -> None:
    """The figures in docs/arithmetic.md and in the comments beside the tables."""
    with gzip.open(shared_data / "gsm8k/gsm8k_train.docs.jsonl.gz", "rt") as file:
        texts = [json.loads(line)["text"] for line in file]
    marks = [mark for text in texts for mark in re.findall(r"<<([^=<>]*)=[^<>]*>>", text)]
    operators = [re.findall(r"[-+*/]", mark.removeprefix("-")) for mark in marks]
    kinds = Counter("".join(sorted(set(found))) for found in operators)
    kinds["several"] = sum(count for kind, count in kinds.items() if len(kind) > 1)
    operands = Counter(len(found) + 1 for found in operators)
    numbers = [number for mark in marks for number in re.findall(r"\d*\.?\d+", mark)]
    digits = Counter("decimal" if "." in number else len(number) for number in numbers)
    assert len(marks) == 23_716

    def percent(counts: Counter[object], *keys: object) -> int:
        return round(100 * sum(counts[key] for key in keys) / len(marks if counts is not digits else numbers))

    assert [percent(kinds, kind) for kind in ("*", "+", "-", "/", "several")] == [36, 24, 17, 15, 6]  # type: ignore[arg-type]
    assert [percent(operands, 2), percent(operands, 3, 4)] == [85, 13]  # type: ignore[arg-type]
    assert [percent(digits, key) for key in (1, 2, 3, 4, "decimal")] == [38, 39, 14, 4, 4]  # type: ignore[arg-type]
