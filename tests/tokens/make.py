"""Small shards, and what arrays made from them must hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tokenizers
import zstandard

from dolmino_cli.tokens.arrays import TokenArrays


def write_shards(folder: Path, shards: Mapping[str, list[str]]) -> Path:
    """One `.jsonl` or `.jsonl.zst` per entry; document i of shard s has the id `s/i`."""
    for name, documents in shards.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps({"id": f"{name}/{i}", "text": text}, ensure_ascii=False) for i, text in enumerate(documents)]
        content = "".join(f"{line}\n" for line in lines).encode()
        path.write_bytes(zstandard.ZstdCompressor().compress(content) if name.endswith(".zst") else content)
    return folder


def read_documents(arrays: TokenArrays) -> Iterator[tuple[np.ndarray, str, str, int]]:
    """Every document: its ids, id, src and loc, by np.memmap and the index alone."""
    for file in arrays.files:
        ids = np.memmap(Path(arrays.root) / file.name, dtype=arrays.numpy_dtype, mode="r")
        position = 0
        for rows in arrays.iter_documents(file):
            for row in rows.to_pylist():
                assert row["start"] == position < row["end"]
                position = row["end"]
                yield ids[row["start"] : row["end"]], row["id"], row["src"], row["loc"]
        assert position == len(ids) == file.tokens


def documents_in(arrays: TokenArrays) -> list[tuple[list[int], str, str, int]]:
    """As `read_documents`, ids as lists."""
    return [(ids.tolist(), *rest) for ids, *rest in read_documents(arrays)]  # type: ignore[misc]


def ids_of(tokenizer: Path, text: str, *end: int) -> list[int]:
    """By the definition: Hugging Face tokenizers, the text of special tokens kept as text."""
    loaded = tokenizers.Tokenizer.from_file(str(tokenizer))
    loaded.encode_special_tokens = True
    return [*loaded.encode(text, add_special_tokens=False).ids, *end]


def content(folder: Path) -> dict[str, bytes]:
    """All files but the ledger (which has times in it), by name."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and "ledger" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def many_shards(folder: Path, count: int = 12, documents: int = 20) -> Path:
    """Shards of different sizes with text of every length, some of it empty."""
    rng = np.random.default_rng(5)
    words = ["the", "dog", "jumps", "argument", "日本語", "1234", "café\n", "doesn't", "  ", "<|endoftext|>"]

    def text() -> str:
        return " ".join(rng.choice(words, rng.integers(0, 60)))

    return write_shards(
        folder,
        {f"s{i:02d}.jsonl{'.zst' * (i % 2)}": [text() for _ in range(int(rng.integers(0, documents * 2)))] for i in range(count)},
    )
