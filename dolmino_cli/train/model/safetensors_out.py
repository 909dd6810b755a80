"""A safetensors file written as its tensors come, so that only one is in memory (the library's own writer takes all at once)."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

_DTYPES = {torch.bfloat16: ("BF16", 2), torch.float32: ("F32", 4)}


@dataclass(frozen=True, kw_only=True)
class TensorFacts:
    """What a header says of a tensor."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    """bfloat16 or float32."""

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * _DTYPES[self.dtype][1]


def header_of(tensors: Iterable[TensorFacts]) -> bytes:
    """What comes before the tensors' bytes: eight bytes of length, then JSON, filled with spaces to a multiple of 8."""
    described: dict[str, object] = {"__metadata__": {"format": "pt"}}
    start = 0
    for tensor in tensors:
        end = start + tensor.size
        described[tensor.name] = {"dtype": _DTYPES[tensor.dtype][0], "shape": list(tensor.shape), "data_offsets": [start, end]}
        start = end
    text = json.dumps(described, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


class SafetensorsFile:
    """A context: `add` every tensor, in the order in which they were announced. They are on the disk when it ends."""

    def __init__(self, path: Path, tensors: Iterable[TensorFacts]) -> None:
        self._coming = list(tensors)[::-1]
        self._file = path.open("wb")
        self._file.write(header_of(self._coming[::-1]))

    def __enter__(self) -> SafetensorsFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._file:
            if kind is None:
                assert not self._coming
                self._file.flush()
                os.fsync(self._file.fileno())

    def add(self, name: str, tensor: Tensor) -> None:
        """Write a tensor on the CPU: of the name, shape and type that are next."""
        expected = self._coming.pop()
        assert (name, tuple(tensor.shape), tensor.dtype) == (expected.name, expected.shape, expected.dtype)
        # numpy has no bfloat16; bytes are bytes.
        self._file.write(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
