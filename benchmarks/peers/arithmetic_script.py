"""Arithmetic as one would write it at first: random, f-strings, `tokenizers` to count, one file.

Usage: arithmetic_script.py TOKENIZER TOKENS OUTPUT.jsonl.zst COUNT.json
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import zstandard
from tokenizers import Tokenizer


def main(tokenizer_path: str, target: int, output: str, count: str) -> None:
    """Write documents until they have `target` tokens, an end-of-text token each included."""
    tokenizer, draw = Tokenizer.from_file(tokenizer_path), random.Random(42)
    tokens = number = 0
    with Path(output).open("wb") as file, zstandard.ZstdCompressor(level=1).stream_writer(file) as writer:
        while tokens < target:
            a, b = draw.randint(1, 999), draw.randint(1, 999)
            equation = draw.choice(
                (f"{a} + {b} = {a + b}", f"{a} - {b} = {a - b}", f"{a} * {b} = {a * b}", f"{a * b} / {b} = {a}")
            )
            text = f"Question: What is {equation.partition(' =')[0]}?\nAnswer: {equation}"
            tokens += len(tokenizer.encode(text, add_special_tokens=False).ids) + 1
            writer.write(json.dumps({"id": f"a-{number}", "text": text, "source": "arithmetic"}).encode() + b"\n")
            number += 1
    Path(count).write_text(json.dumps(tokens))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
