"""What a soup would be: its ingredients, opened and found to agree, their weights, and the files it would be written as."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dolmino_cli.errors import ConfigError
from dolmino_cli.train.soup.agreement import check_agreement
from dolmino_cli.train.soup.ingredient import Ingredient
from dolmino_cli.train.soup.mean import stored_dtype
from dolmino_cli.train.weight_shards import SHARD_MOST_BYTES, Shard, shards_of

Dtype = Literal["keep", "bf16", "fp32"]
_STORED: dict[str, str | None] = {"keep": None, "bf16": "BF16", "fp32": "F32"}


@dataclass(frozen=True, kw_only=True)
class SoupPlan:
    """A soup that can be made. `weights` sum to 1."""

    ingredients: tuple[Ingredient, ...]
    weights: tuple[float, ...]
    dtype: Dtype
    shards: tuple[Shard, ...]

    @property
    def bytes(self) -> int:
        """Of its weights."""
        return sum(shard.bytes for shard in self.shards)

    @property
    def parameters(self) -> int:
        """Numbers in its tensors."""
        return sum(math.prod(shape) for shard in self.shards for _, shape in shard.tensors.values())


def plan_soup(
    ingredients: Sequence[Ingredient],
    *,
    weights: Sequence[float] | None = None,
    dtype: Dtype = "keep",
    shard_bytes: int = SHARD_MOST_BYTES,
) -> SoupPlan:
    """The soup of these checkpoints; weights default to equal ones and are divided by their sum.

    Raises ConfigError for weights that are no weights, and for checkpoints that are not of one model.
    """
    weights = [1.0] * len(ingredients) if weights is None else list(weights)
    if len(weights) != len(ingredients):
        raise ConfigError(f"{len(weights)} weights are given for {len(ingredients)} checkpoints; give one to each")
    if not all(math.isfinite(weight) and weight > 0 for weight in weights):
        raise ConfigError(f"weights are {', '.join(f'{weight:g}' for weight in weights)}; each must be more than 0")
    folders = [ingredient.folder.resolve() for ingredient in ingredients]
    if twice := [ingredient.name for ingredient in ingredients if folders.count(ingredient.folder.resolve()) > 1]:
        raise ConfigError(f"{twice[0]} is given twice; give a checkpoint once, with --weights where it is to count more")
    check_agreement(ingredients)
    largest = max(weights)  # divided by first: the sum of weights near the largest number would be infinite
    total = sum(weight / largest for weight in weights)
    first = ingredients[0].tensors
    tensors = {key: (stored_dtype(place.dtype, _STORED[dtype]), place.shape) for key, place in first.items()}
    return SoupPlan(
        ingredients=tuple(ingredients),
        weights=tuple(weight / largest / total for weight in weights),
        dtype=dtype,
        shards=shards_of(tensors, shard_bytes),
    )
