"""Lines of JSON -> ids and texts as columns: by a decoder, and the texts by a kernel where so much is read that it pays."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa

from dolmino_cli.buffers import text_column
from dolmino_cli.shards.faults import DECODER, Document

# The kernel takes 0.4 s to import, and saves half of the time that decoding takes: 1 ms of a MiB.
_PAYS_AFTER_BYTES = 128 << 20


class _Written(msgspec.Struct, gc=False):
    """A document with its text as it is written, quotes and escapes and all."""

    id: str
    text: msgspec.Raw


_WRITTEN = msgspec.json.Decoder(_Written)
_read_bytes = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Columns:
    """Consecutive documents. `written_bytes`: how many bytes of its line a text takes, at least."""

    id: pa.LargeStringArray
    text: pa.LargeStringArray
    written_bytes: np.ndarray

    def __len__(self) -> int:
        return len(self.id)


def columns_of(documents: Sequence[Document]) -> Columns:
    """These documents."""
    text = pa.array([document.text for document in documents], pa.large_string())
    written_bytes = np.diff(np.frombuffer(text.buffers()[1], np.int64, len(text) + 1)) if len(text) else np.empty(0, np.int64)
    return Columns(id=_ids(documents), text=text, written_bytes=written_bytes)


def decode(lines: memoryview) -> Columns:
    """The documents of lines of JSON, whose UTF-8 the caller has looked at.

    Raises MsgspecError, UnicodeError or RecursionError where one is no document, or none that is plain to see (`faults.parsed`).
    """
    return _by_kernel(_WRITTEN.decode_lines(lines)) if _kernel_pays(len(lines)) else columns_of(DECODER.decode_lines(lines))


def _kernel_pays(more_bytes: int) -> bool:
    """Has this process read so much by now, or the kernels' library for another reason?"""
    global _read_bytes
    _read_bytes += more_bytes
    return _read_bytes >= _PAYS_AFTER_BYTES or "dolmino_cli.kernels" in sys.modules


def _by_kernel(documents: Sequence[_Written]) -> Columns:
    from dolmino_cli.kernels.json_texts import BLOCK_BYTES, json_texts

    strings = b"".join([*(document.text for document in documents), bytes(BLOCK_BYTES)])
    size = len(strings) - BLOCK_BYTES
    texts, offsets, ends = json_texts(np.frombuffer(strings, np.uint8), size, len(documents))
    if len(offsets) <= len(documents):
        raise msgspec.ValidationError("a text is no string")
    return Columns(id=_ids(documents), text=text_column(texts, offsets), written_bytes=np.diff(ends, prepend=0))


def _ids(documents: Sequence[Document] | Sequence[_Written]) -> pa.LargeStringArray:
    return pa.array([document.id for document in documents], pa.large_string())
