"""Megatron-LM's indexed dataset, `NAME.bin` and `NAME.idx`: one sequence per document, its end-of-text token included.

`.bin` is the tokens alone, one document after the other. `.idx` is `MMIDIDX\\0\\0`, the version (u64, 1), a code for the dtype of
the tokens (u8), the numbers of sequences and of document bounds (u64 each), tokens per sequence (int32), the byte where each
begins (int64), and the document bounds: the number of the first sequence of each document, and of none at the end (int64). All
little-endian (NVIDIA/Megatron-LM, megatron/core/datasets/indexed_dataset.py). There is no uint32: ids of more than 16 bits are
int32.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
import numpy.typing as npt

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.storage import Output, Pending

_MAGIC = b"MMIDIDX\x00\x00"
_VERSION = 1
_CODES = {"int32": 4, "uint16": 8}
# Megatron's own bound (DType.optimal_dtype), lower than what uint16 could hold.
_UINT16_BELOW = 65_500
_ROWS_AT_A_TIME = 1 << 20

Chunk = tuple[npt.NDArray[np.int64], npt.NDArray[np.unsignedinteger]]
"""Tokens per document, and the tokens of these documents one after the other."""


@dataclass(frozen=True, kw_only=True)
class MegatronFiles:
    """What was written: `bytes` of both files; `documents` and `tokens` as Megatron will count them."""

    name: str
    documents: int
    tokens: int
    dtype: str
    bytes: int


def megatron_dtype(vocabulary_size: int) -> str:
    """uint16 for fewer than 65,500 ids, else int32."""
    return "uint16" if vocabulary_size < _UINT16_BELOW else "int32"


def megatron_bytes(documents: int, tokens: int, vocabulary_size: int) -> int:
    """Bytes of both files together."""
    itemsize = np.dtype(megatron_dtype(vocabulary_size)).itemsize
    return tokens * itemsize + len(_MAGIC) + struct.calcsize("<QBQQ") + documents * (4 + 8 + 8) + 8


def train_iterations(tokens: int, *, sequence_length: int, batch_sequences: int) -> int:
    """Steps that see all tokens once: ceil(tokens / sequence_length / batch_sequences), as LLM-jp's scripts count them.

    Raises ConfigError for a length or a batch below 1.
    """
    if sequence_length < 1 or batch_sequences < 1:
        raise ConfigError(f"sequence_length is {sequence_length} and batch_sequences {batch_sequences}; both must be at least 1")
    return -(-tokens // (sequence_length * batch_sequences))


def write_megatron(
    output: Output, name: str, chunks: Iterable[Chunk], *, documents: int, tokens: int, vocabulary_size: int, path: str
) -> MegatronFiles:
    """Write NAME.bin and NAME.idx in one pass over the chunks, some MB of memory and 4 bytes of temporary disk per document.

    `documents` and `tokens` are what the chunks must hold, and ids must be below `vocabulary_size`: DataError, naming `path`,
    where they are not. Raises StorageError when it cannot be written.
    """
    dtype = np.dtype(megatron_dtype(vocabulary_size)).newbyteorder("<")
    found_documents = found_tokens = 0
    with output.create(f"{name}.bin") as data, output.create(f"{name}.idx") as index, tempfile.TemporaryFile() as spilled:
        counts = struct.pack("<QBQQ", _VERSION, _CODES[dtype.name], documents, documents + 1)
        index.write(_MAGIC + counts)
        for lengths, ids in chunks:
            if int(lengths.sum()) != len(ids):
                raise DataError(f"documents of {int(lengths.sum()):,} tokens, but {len(ids):,} tokens", path=path)
            _check(lengths, ids, vocabulary_size, path)
            data.write(np.ascontiguousarray(_as(ids, dtype)).view(np.uint8).data)
            as_int32 = lengths.astype("<i4")
            index.write(as_int32.view(np.uint8).data)
            with storage_errors("write", "a temporary file (TMPDIR chooses its folder)"):
                spilled.write(as_int32.tobytes())
            found_documents += len(lengths)
            found_tokens += len(ids)
        if (found_documents, found_tokens) != (documents, tokens):
            found = f"{found_documents:,} documents of {found_tokens:,} tokens"
            raise DataError(f"holds {found}; {documents:,} of {tokens:,} are described", path=path)
        _write_pointers(index, spilled, dtype.itemsize)
        _write_bounds(index, documents)
        # Megatron begins at the index, which is never that of other tokens, even where an older export is replaced.
        output.delete(f"{name}.idx")
        data.publish()
        index.publish()
        return MegatronFiles(name=name, documents=documents, tokens=tokens, dtype=dtype.name, bytes=data.bytes + index.bytes)


def _check(lengths: npt.NDArray[np.int64], ids: npt.NDArray[np.unsignedinteger], vocabulary_size: int, path: str) -> None:
    if len(lengths) and int(lengths.max()) >= 1 << 31:
        raise DataError(f"a document of {int(lengths.max()):,} tokens; Megatron's index counts to {(1 << 31) - 1:,}", path=path)
    if len(ids) and int(ids.max()) >= vocabulary_size:
        raise DataError(
            f"id {int(ids.max())} is not below the vocabulary's {vocabulary_size:,}; the arrays are damaged", path=path
        )


def _as(ids: npt.NDArray[np.unsignedinteger], dtype: np.dtype[np.integer]) -> npt.NDArray[np.integer]:
    # Checked to be below the vocabulary, which is below 2^31: uint32 and int32 are the same bytes.
    return ids.view(dtype) if ids.dtype.itemsize == dtype.itemsize else ids.astype(dtype)


def _lengths(spilled: IO[bytes]) -> Iterator[npt.NDArray[np.int64]]:
    spilled.seek(0)
    while data := spilled.read(4 * _ROWS_AT_A_TIME):
        yield np.frombuffer(data, "<i4").astype(np.int64)


def _write_pointers(index: Pending, spilled: IO[bytes], itemsize: int) -> None:
    start = 0
    for lengths in _lengths(spilled):
        ends = start + np.cumsum(lengths) * itemsize
        index.write((ends - lengths * itemsize).astype("<i8").view(np.uint8).data)
        start = int(ends[-1])


def _write_bounds(index: Pending, documents: int) -> None:
    for start in range(0, documents + 1, _ROWS_AT_A_TIME):
        stop = min(start + _ROWS_AT_A_TIME, documents + 1)
        index.write(np.arange(start, stop, dtype="<i8").view(np.uint8).data)
