"""Token arrays and manifests for tests, made without text: documents are an id and some tokens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dolmino_cli.shards.storage import Output
from dolmino_cli.tokens.arrays import NAME, ArrayFile, TokenArrays, TokenizerRecord
from dolmino_cli.tokens.encode import Encoded
from dolmino_cli.tokens.index import read_index
from dolmino_cli.tokens.parts import write_parts

EOS = 99
TOKENIZER = TokenizerRecord(name="tiny", sha256="ab" * 32, vocabulary_size=100, eos_token="<eos>", eos_id=EOS)


@dataclass(frozen=True)
class Document:
    """One document as it stands in arrays; `tokens` end with eos."""

    id: str
    tokens: tuple[int, ...]
    src: str
    loc: int


def documents_of(*lengths: int, prefix: str = "d", src: str = "shard-0.jsonl", seed: int = 0) -> list[Document]:
    """Documents d0, d1, ... of the given numbers of tokens (eos included)."""
    rng = np.random.default_rng([seed, len(lengths)])
    bodies = [tuple(int(token) for token in rng.integers(0, EOS, length - 1)) for length in lengths]
    return [Document(f"{prefix}{i}", (*body, EOS), src, i + 1) for i, body in enumerate(bodies)]


def write_arrays(
    root: Path | str,
    documents: Sequence[Document],
    *,
    tokens_per_file: int = 1000,
    groups: int = 1,
    tokenizer: TokenizerRecord = TOKENIZER,
) -> TokenArrays:
    """The documents, in order, as token arrays cut into files in one way or another."""
    output = Output(str(root))
    bounds = [len(documents) * i // groups for i in range(groups + 1)]
    files: list[ArrayFile] = []
    for group in range(groups):
        encoded = [_encoded(document, tokenizer) for document in documents[bounds[group] : bounds[group + 1]]]
        files += write_parts(encoded, output=output, group=group, tokens_per_file=tokens_per_file)
    return write_description(output, files, tokenizer)


def write_uniform_arrays(root: Path, *, documents: int, length: int, prefix: str) -> TokenArrays:
    """Many documents of one length, quickly."""
    ids = np.tile(np.arange(length, dtype=np.uint16) % EOS, documents)
    ids[length - 1 :: length] = EOS
    names = pa.array([f"{prefix}{i}" for i in range(documents)], pa.large_string())
    offsets = np.arange(documents + 1, dtype=np.int64) * length
    batch = Encoded(ids, offsets, names, pa.array(np.arange(1, documents + 1)), "s.jsonl")
    output = Output(str(root))
    return write_description(output, write_parts([batch], output=output, group=0, tokens_per_file=10**9), TOKENIZER)


def write_description(output: Output, files: list[ArrayFile], tokenizer: TokenizerRecord) -> TokenArrays:
    arrays = TokenArrays(
        root=output.root,
        tokenizer=tokenizer,
        dtype="uint16",
        engine="by hand",
        options={"strip": True},
        files=files,
        totals={key: sum(getattr(file, key) for file in files) for key in ("documents", "tokens", "bytes")},
        made_by=None,
    )
    output.put(NAME, arrays.to_json())
    return arrays


def _encoded(document: Document, tokenizer: TokenizerRecord) -> Encoded:
    ids: npt.NDArray[np.unsignedinteger] = np.array(document.tokens, np.uint16)
    offsets = np.array([0, len(ids)], np.int64)
    return Encoded(ids, offsets, pa.array([document.id], pa.large_string()), pa.array([document.loc]), document.src)


def read_arrays(root: Path | str) -> list[Document]:
    """The documents of token arrays in order, through the format's own reader."""
    arrays = TokenArrays.open(str(root))
    found = []
    for file in arrays.files:
        tokens = arrays.memmap(file)
        for batch in read_index(arrays.path(file.index_name)):
            for row in batch.to_pylist():
                body = tuple(int(token) for token in tokens[row["start"] : row["end"]])
                found.append(Document(row["id"], body, row["src"], row["loc"]))
    return found


def write_manifest(path: Path, *, seed: int = 42, name: str = "small", total: int | None = None, **shares: str) -> Path:
    """A manifest whose sources are keyword arguments: dclm="source_percent: 50"."""
    lines = [f"name: {name}", "tokenizer: tiny", f"seed: {seed}"]
    lines += [f"total_tokens: {total}"] if total is not None else []
    lines += ["sources:", *(f"  {source}: {{{share}}}" for source, share in shares.items())]
    path.write_text("\n".join(lines) + "\n")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def mix_files(folder: Path) -> dict[str, bytes]:
    """Every file of a mix but its lock, which says where the sources were."""
    return {name: data for name, data in contents(folder).items() if not name.endswith(".lock.json")}


def read_lock(folder: Path, name: str = "small") -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / f"{name}.lock.json").read_text())
    return found
