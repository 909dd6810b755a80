"""The documents nearest to a bound, compared with a full sort, however the column is cut into batches."""

from __future__ import annotations

import warnings

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dolmino_cli.report.figures.nearest import Nearest, Row, Side

SCORES = st.lists(st.one_of(st.integers(-3, 3).map(float), st.just(float("nan"))), max_size=30)


@settings(max_examples=80, deadline=None)
@given(
    values=SCORES,
    most=st.integers(0, 5),
    side=st.sampled_from(["above", "below"]),
    equal_is_above=st.booleans(),
    pieces=st.integers(1, 5),
)
def test_it_is_what_a_full_sort_finds(values: list[float], most: int, side: Side, equal_is_above: bool, pieces: int) -> None:
    bound = 1.0
    is_above = [value > bound or (equal_is_above and value == bound) for value in values]
    wanted = [
        (abs(value - bound), row, value)
        for row, (value, above) in enumerate(zip(values, is_above, strict=True))
        if value == value and above == (side == "above")
    ]
    expected = [(Row(0, row), value) for _, row, value in sorted(wanted)[:most]]
    nearest = Nearest(bound=bound, side=side, equal_is_above=equal_is_above, most=most)
    for rows in np.array_split(np.arange(len(values)), pieces):
        nearest.add(np.array(values, np.float64)[rows], shard=0, rows=rows)
    assert nearest.found() == expected


def test_of_equally_near_ones_the_first_shard_comes_first() -> None:
    nearest = Nearest(bound=0.0, side="above", equal_is_above=True, most=3)
    for shard in range(3):
        nearest.add(np.array([1.0, 1.0]), shard=shard, rows=np.array([4, 9]))
    assert [row for row, _ in nearest.found()] == [Row(0, 4), Row(0, 9), Row(1, 4)]


def test_distances_beyond_a_float_are_only_far() -> None:
    """-1e308 is further from 1e308 than a float can say: last, and nothing is said on stderr."""
    nearest = Nearest(bound=1e308, side="below", equal_is_above=True, most=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nearest.add(np.array([-1e308, 0.0]), shard=0, rows=np.arange(2))
    assert nearest.found() == [(Row(0, 1), 0.0), (Row(0, 0), -1e308)]
