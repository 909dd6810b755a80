"""Every value is in one bin, on the side of the bounds that the decision itself puts it on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dolmino_cli.documents import Batch
from dolmino_cli.report.figures.histogram import BINS, Histogram, Spread
from dolmino_cli.report.figures.scale import has_log_counts, ticks
from dolmino_cli.stages.keep import Keep

FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=64)


def histogram_of(values: list[float], *keeps: Keep, integers: bool = False, nulls: int = 0, pieces: int = 1) -> Histogram:
    parts = np.array_split(np.array(values, np.float64), pieces)
    spread = Spread(integers=integers)
    for number, part in enumerate(parts):
        spread.add(part, nulls if number == 0 else 0)
    histogram = Histogram.of("score", keeps, spread)
    for part in parts:
        histogram.add(part)
    histogram.check()
    return histogram


def keep(**bounds: float) -> Keep:
    return Keep(score="score", **bounds)  # type: ignore[arg-type]


def decided(values: list[float], rule: Keep) -> int:
    """How many the decision itself keeps."""
    scores = pa.array(values, pa.float64())
    ids = pa.array(map(str, range(len(values))), pa.large_string())
    batch = Batch(shard="s", id=ids, text=ids, record=pa.nulls(len(values)), line=pa.array(range(len(values)), pa.int64()))
    return int(rule.decide(scores, batch).sum())


@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(FLOATS, max_size=40),
    bound=st.floats(allow_nan=False, allow_infinity=False),
    sign=st.sampled_from(["at_least", "above", "at_most", "below"]),
    nulls=st.integers(0, 3),
)
def test_every_value_is_in_one_bin_on_its_side(values: list[float], bound: float, sign: str, nulls: int) -> None:
    rule = keep(**{sign: bound})
    histogram = histogram_of(values, rule, nulls=nulls, pieces=3)
    finite = [value for value in values if np.isfinite(value)]
    spread = histogram.spread
    assert histogram.total + spread.nulls + spread.not_finite == len(values) + nulls == spread.rows
    assert int(histogram.kept.sum()) + histogram.zeros_kept == decided(finite, rule)
    assert (np.diff(histogram.edges / 4) > 0).all()
    assert 0 <= histogram.place(bound) <= 1


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=40))
def test_bins_of_whole_numbers_have_whole_edges(values: list[int]) -> None:
    histogram = histogram_of([float(value) for value in values], integers=True)
    assert (histogram.edges == np.floor(histogram.edges)).all()
    assert len(histogram.kept) <= BINS + 1


def test_bins_count_what_lies_between_their_edges() -> None:
    values = [0.0, 0.5, 4.0, 4.5, 47.9, 48.0]
    histogram = histogram_of(values, keep(at_least=4.0))
    assert (histogram.edges[0], histogram.edges[-1], histogram.is_log) == (0.0, 48.0, False)
    assert {
        place: (kept, dropped)
        for place, kept, dropped in zip(range(BINS), histogram.kept, histogram.dropped, strict=True)
        if kept + dropped
    } == {
        0: (0, 2),
        4: (2, 0),
        47: (2, 0),
    }


def test_the_axis_is_logarithmic_where_a_linear_one_would_hide_the_bound_or_the_bulk() -> None:
    rng = np.random.default_rng(0)
    lengths = np.exp(rng.normal(6, 2, 2000)).tolist()
    assert histogram_of(lengths).is_log
    assert not histogram_of(rng.random(2000).tolist()).is_log
    assert histogram_of(rng.random(2000).tolist(), keep(at_least=0.01)).is_log
    assert not histogram_of(rng.random(2000).tolist(), keep(at_least=0.3)).is_log
    assert not histogram_of([-1.0, *lengths]).is_log


def test_zeros_have_a_bin_of_their_own_on_a_logarithmic_axis() -> None:
    histogram = histogram_of([0.0] * 5 + [1.0, 10.0, 100.0, 30_000.0], keep(below=32), integers=True)
    assert histogram.is_log
    assert (histogram.zeros_kept, histogram.zeros_dropped, histogram.total) == (5, 0, 9)
    assert (int(histogram.kept.sum()), int(histogram.dropped.sum())) == (2, 2)
    dropped = histogram_of([0.0] * 5 + [1.0, 10.0, 100.0, 30_000.0], keep(above=0), integers=True)
    assert (dropped.zeros_kept, dropped.zeros_dropped, dropped.total) == (0, 5, 9)


def test_the_widest_range_there_is_has_an_axis() -> None:
    largest = float(np.finfo(np.float64).max)
    histogram = histogram_of([-largest, 0.0, largest])
    assert (np.diff(histogram.edges / 4) > 0).all()
    assert (histogram.place(-largest), histogram.place(0.0), histogram.place(largest)) == (0.0, 0.5, 1.0)


def test_a_constant_score_lies_inside_the_axis() -> None:
    for value in (0.0, 3.0, -7.5, 1e300, 5e-324):
        histogram = histogram_of([value] * 4)
        assert histogram.edges[0] <= value < histogram.edges[-1]
        assert histogram.kept.max() == 4


def test_values_too_near_to_be_told_apart_are_one() -> None:
    histogram = histogram_of([0.0, 5e-324, 1e-323], keep(at_least=5e-324))
    assert (int(histogram.kept.max()), int(histogram.dropped.max())) == (2, 1)


def test_a_bound_far_from_the_data_does_not_squeeze_it() -> None:
    assert histogram_of([1.0, 2.0, 3.0], keep(at_most=1e18)).edges[-1] == 3.0
    assert histogram_of([1.0, 2.0, 3.0], keep(at_most=20)).edges[-1] == 20.0


def test_nothing_measured_is_no_histogram_and_no_error() -> None:
    histogram = histogram_of([float("nan")], keep(at_least=2), nulls=3)
    assert (histogram.total, histogram.spread.nulls, histogram.spread.not_finite) == (0, 3, 1)


@pytest.mark.parametrize(("values", "expected"), [([0.0] * 10_000 + [5.0] * 10, True), ([0.0] * 100 + [5.0] * 10, False)])
def test_counts_are_logarithmic_where_one_side_could_not_be_seen(values: list[float], expected: bool) -> None:
    assert has_log_counts(histogram_of(values, keep(below=3))) is expected


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.floats(min_value=-1e300, max_value=1e300), min_size=1, max_size=9))
def test_ticks_are_few_and_on_the_axis(values: list[float]) -> None:
    histogram = histogram_of(values)
    found: list[Any] = ticks(histogram)
    low, high = histogram.edges[0], histogram.edges[-1]
    reach = 1e-6 * max(abs(low), abs(high))
    assert len(found) <= 13
    assert all(low - reach <= value <= high + reach for value in found)
