"""How a checkpoint's tensors are cut into safetensors files: names, sizes and the index, as transformers has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dolmino_cli.train.tensor_file import bytes_of

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
SHARD_MOST_BYTES = 5_000_000_000
Form = tuple[str, tuple[int, ...]]
"""A tensor's dtype, as safetensors spells it, and shape."""


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A file of weights: dtype and shape by key, in the order of their bytes."""

    name: str
    tensors: dict[str, Form]

    @property
    def bytes(self) -> int:
        """Of the tensors."""
        return sum(bytes_of(*tensor) for tensor in self.tensors.values())


def shards_of(tensors: Mapping[str, Form], most: int = SHARD_MOST_BYTES) -> tuple[Shard, ...]:
    """The tensors in their order, a new file where one would be larger than `most`; a larger tensor has one of its own."""
    groups: list[dict[str, Form]] = [{}]
    size = 0
    for key, tensor in tensors.items():
        if groups[-1] and size + bytes_of(*tensor) > most:
            groups.append({})
            size = 0
        groups[-1][key] = tensor
        size += bytes_of(*tensor)
    names = [f"model-{number:05d}-of-{len(groups):05d}.safetensors" for number in range(1, len(groups) + 1)]
    return tuple(
        Shard(name=name, tensors=group) for name, group in zip(names if len(groups) > 1 else [WEIGHTS], groups, strict=True)
    )


def index_of(shards: Sequence[Shard]) -> dict[str, Any]:
    """The content of INDEX, which stands beside several files."""
    places = {key: shard.name for shard in shards for key in shard.tensors}
    return {"metadata": {"total_size": sum(shard.bytes for shard in shards)}, "weight_map": dict(sorted(places.items()))}
