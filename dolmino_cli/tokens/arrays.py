"""Token arrays: a folder of headerless `.npy` files with `.csv.gz` rows beside, described by `arrays.json`.

The format is dolma's and OLMo's: little-endian uint16 where the vocabulary has at most 65,536 ids, else uint32; never uint8,
which OLMo-core would choose for 256 ids or fewer and dolma tools do not read. `np.memmap` reads a file, `np.load` does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.shards import storage
from dolmino_cli.tokens.index import read_index

FORMAT_VERSION = 1
NAME = "arrays.json"


@dataclass(frozen=True, kw_only=True)
class ArrayFile:
    """One `.npy`: `sha256` is its own, `index_sha256` that of the `.csv.gz` as stored; `bytes` = tokens x bytes per token."""

    name: str
    tokens: int
    documents: int
    bytes: int
    sha256: str
    index_sha256: str

    @property
    def index_name(self) -> str:
        """The name of its rows: `part-00000-00000.csv.gz`."""
        return self.name.removesuffix(".npy") + ".csv.gz"


@dataclass(frozen=True, kw_only=True)
class TokenizerRecord:
    """The tokenizer as arrays.json has it; `vocabulary_size` is the largest id + 1."""

    name: str
    sha256: str
    vocabulary_size: int
    eos_token: str | None
    eos_id: int


@dataclass(frozen=True, kw_only=True)
class MadeBy:
    """The recipe run that the documents came from."""

    recipe: str
    recipe_sha256: str


@dataclass(frozen=True, kw_only=True)
class TokenArrays:
    """What `arrays.json` says, and the way to the arrays. Made by `retokenize`, found by `open`.

    `options` are what else the ids depend on (strip, special_tokens, bos_id, tokens_per_file); `engine` is what encoded.
    `totals` count records (read = tokenised + empty + quarantined), tokens and bytes. `made_by` is None for documents that
    are no dolmino run's. Nothing in it depends on where inputs and outputs lie.
    """

    root: str
    tokenizer: TokenizerRecord
    dtype: Literal["uint16", "uint32"]
    engine: str
    options: dict[str, Any]
    files: list[ArrayFile]
    totals: dict[str, int]
    made_by: list[MadeBy] | None

    def __post_init__(self) -> None:
        wanted = dtype_name(self.tokenizer.vocabulary_size)
        item_bytes = self.numpy_dtype.itemsize
        problems = [
            f"{file.name}: {file.bytes} bytes, {file.tokens} tokens"
            for file in self.files
            if file.bytes != file.tokens * item_bytes
        ]
        if self.dtype != wanted:
            problems.append(f"dtype {self.dtype} for {self.tokenizer.vocabulary_size} ids, expected {wanted}")
        for key in ("tokens", "documents", "bytes"):
            total = sum(getattr(file, key) for file in self.files)
            if self.totals.get(key) != total:
                problems.append(f"totals.{key} is {self.totals.get(key)}, its files have {total}")
        if problems:
            raise DataError("; ".join(problems), path=storage.join(self.root, NAME))

    @classmethod
    def open(cls, root: str) -> TokenArrays:
        """The arrays in a local folder or under an s3:// prefix.

        Raises ConfigError when there is no arrays.json; DataError when it is damaged or its files are missing or of other sizes.
        """
        path = storage.join(root, NAME)
        if not storage.exists(path):
            raise ConfigError(f"{root} holds no {NAME}; give a folder that `dolmino retokenize` finished")
        try:
            stored = json.loads(storage.read_bytes(path))
            version = stored.pop("dolmino_arrays", None)
            if version != FORMAT_VERSION:
                raise DataError(f"arrays of format {version!r}; this dolmino reads {FORMAT_VERSION}", path=path)
            arrays = msgspec.convert({"root": root, **stored}, cls)
        except (ValueError, AttributeError, msgspec.ValidationError) as error:
            raise DataError(f"damaged ({error}); run `dolmino retokenize` again", path=path) from None
        arrays._check_files()
        return arrays

    def _check_files(self) -> None:
        present = {found.name: found.bytes for found in storage.walk(self.root)} if self.files else {}
        for file in self.files:
            if present.get(file.name) != file.bytes or file.index_name not in present:
                found = f"{present[file.name]} bytes" if file.name in present else "not there"
                problem = f"{NAME} says {file.bytes} bytes with {file.index_name} beside; found: {found}"
                raise DataError(f"{problem}, {len(present)} files in all", path=storage.join(self.root, file.name))

    def to_json(self) -> bytes:
        """The content of arrays.json."""
        content = {"dolmino_arrays": FORMAT_VERSION, **asdict(self)}
        del content["root"]
        return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()

    @property
    def numpy_dtype(self) -> np.dtype[np.unsignedinteger]:
        """Of the files: `<u2` or `<u4`."""
        return numpy_dtype(self.dtype)

    def path(self, name: str) -> str:
        """Where a file of the folder is."""
        return storage.join(self.root, name)

    def memmap(self, file: ArrayFile) -> npt.NDArray[np.unsignedinteger]:
        """The file's tokens as a read-only view; the arrays must be on the local disk."""
        return np.memmap(Path(self.path(file.name)), dtype=self.numpy_dtype, mode="r")

    def iter_documents(self, file: ArrayFile) -> Iterator[pa.RecordBatch]:
        """The file's rows (start, end, id, src, loc), some MB at a time."""
        return read_index(self.path(file.index_name))


def dtype_name(vocabulary_size: int) -> Literal["uint16", "uint32"]:
    """The dtype for ids below `vocabulary_size`."""
    return "uint16" if vocabulary_size <= 1 << 16 else "uint32"


def numpy_dtype(name: Literal["uint16", "uint32"]) -> np.dtype[np.unsignedinteger]:
    """Its little-endian numpy type."""
    return np.dtype("<u2" if name == "uint16" else "<u4")
