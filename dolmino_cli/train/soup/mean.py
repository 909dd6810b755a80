"""The weighted mean of one tensor of several checkpoints, by the piece, summed in fp32."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dolmino_cli.errors import DataError
from dolmino_cli.train.soup.ingredient import Ingredient
from dolmino_cli.train.tensor_file import FLOATING, STORED_AS, from_floats, to_floats

PIECE_ELEMENTS = 1 << 20
"""Elements that are in memory at once: an fp32 sum, one ingredient's piece and its fp32 form are some 20 MB."""


def mean_pieces(
    key: str, ingredients: Sequence[Ingredient], weights: Sequence[float], dtype: str, piece: int = PIECE_ELEMENTS
) -> Iterator[npt.NDArray[Any]]:
    """The mean of the tensor `key`, flat, as pieces of at most `piece` elements stored as `dtype`.

    Sum and quotient are fp32 (float64 for F64), in the order of the ingredients; only the result is rounded to `dtype`, as
    allenai/OLMo-core does (mergekit sums in bf16). The greatest weight counts as 1, so that equal ones multiply nothing.
    Whole numbers and truth values have no mean: they must be equal, and stay. Raises DataError for those that are not, and for
    weights that are not finite, naming ingredient and key.
    """
    elements = ingredients[0].tensors[key].elements
    for first in range(0, elements, piece):
        count = min(piece, elements - first)
        if ingredients[0].tensors[key].dtype in FLOATING:
            yield from_floats(_mean(key, ingredients, weights, first, count), dtype)
        else:
            yield _common(key, ingredients, first, count)


def stored_dtype(have: str, asked: str | None) -> str:
    """What a tensor of dtype `have` is written as: `asked` if it is floating and something is asked."""
    return asked if asked is not None and have in FLOATING else have


def _mean(key: str, ingredients: Sequence[Ingredient], weights: Sequence[float], first: int, count: int) -> npt.NDArray[Any]:
    wide = np.float64 if ingredients[0].tensors[key].dtype == "F64" else np.float32
    relative = [wide(weight / max(weights)) for weight in weights]
    total: npt.NDArray[Any] = np.zeros(count, wide)
    for ingredient, weight in zip(ingredients, relative, strict=True):
        place = ingredient.tensors[key]
        values = to_floats(place.read(first, count), place.dtype)
        total += values if weight == 1 else values * weight
    total /= wide(sum(weight / max(weights) for weight in weights))
    if not np.isfinite(total).all():
        _refuse(key, ingredients, first, count)
    return total


def _refuse(key: str, ingredients: Sequence[Ingredient], first: int, count: int) -> None:
    for ingredient in ingredients:
        place = ingredient.tensors[key]
        wrong = np.flatnonzero(~np.isfinite(to_floats(place.read(first, count), place.dtype)))
        if len(wrong):
            at = tuple(int(index) for index in np.unravel_index(first + int(wrong[0]), place.shape)) if place.shape else ()
            raise DataError(
                f"tensor {key} of {ingredient.name} is not finite at {list(at)}; leave this checkpoint out", path=str(place.path)
            )
    raise DataError(f"the sum of tensor {key} is beyond what fp32 holds; its weights are no model's", path=str(place.path))


def _common(key: str, ingredients: Sequence[Ingredient], first: int, count: int) -> npt.NDArray[Any]:
    ours = ingredients[0].tensors[key].read(first, count)
    for other in ingredients[1:]:
        place = other.tensors[key]
        if not np.array_equal(ours, place.read(first, count)):
            raise DataError(
                f"tensor {key} of {other.name} is of dtype {place.dtype}, which has no mean, and is not that of"
                f" {ingredients[0].name}; only equal ones can be kept",
                path=str(place.path),
            )
    return ours.astype(np.dtype(STORED_AS[ingredients[0].tensors[key].dtype]).newbyteorder("<"), copy=False)
