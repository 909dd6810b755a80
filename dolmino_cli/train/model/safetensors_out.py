"""A safetensors file written as its tensors come, so that only one is in memory (the library's own writer takes all at once)."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor

from dolmino_cli.train.tensor_file import header_of
from dolmino_cli.train.weight_shards import Shard

DTYPES = {"BF16": torch.bfloat16, "F32": torch.float32}


class SafetensorsFile:
    """A context: `add` every tensor of a shard, in its order. They are on the disk when it ends."""

    def __init__(self, folder: Path, shard: Shard) -> None:
        self._coming = list(shard.tensors.items())[::-1]
        self._file = (folder / shard.name).open("wb")
        self._file.write(header_of(shard.tensors))

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
        expected, (dtype, shape) = self._coming.pop()
        assert (name, tuple(tensor.shape), tensor.dtype) == (expected, shape, DTYPES[dtype])
        # numpy has no bfloat16; bytes are bytes.
        self._file.write(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
