"""`keep`: bounds, missing scores, reasons, and how many scores are too near to a bound."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from dolmino_cli.errors import ConfigError, DataError
from dolmino_cli.stages.keep import Expect, Keep
from tests.stages.conftest import MakeBatch


@pytest.mark.parametrize(
    ("bounds", "kept"),
    [
        ({"at_least": 2.0}, [False, True, True, True]),
        ({"above": 2.0}, [False, False, True, True]),
        ({"at_most": 3.0}, [True, True, True, False]),
        ({"below": 3.0}, [True, True, False, False]),
        ({"at_least": 2.0, "below": 4.0}, [False, True, True, False]),
        ({"above": 1.0, "at_most": 3.0}, [False, True, True, False]),
    ],
)
def test_bounds(make_batch: MakeBatch, bounds: dict[str, float], kept: list[bool]) -> None:
    batch = make_batch("a", "b", "c", "d")
    keep = Keep(score="s", **bounds)
    for scores in (pa.array([1, 2, 3, 4], pa.int64()), pa.array([1.0, 2.0, 3.0, 4.0])):
        decided = keep.decide(scores, batch)
        assert decided.tolist() == kept and decided.dtype == np.bool_


def test_dclm_bound_compares_in_float64(make_batch: MakeBatch) -> None:
    keep = Keep(score="dclm_quality", at_least=0.03311014)
    scores = pa.array([0.03311014, np.nextafter(0.03311014, 0), float(np.float32(0.03311014))])
    assert keep.decide(scores, make_batch("a", "b", "c")).tolist() == [True, False, np.float32(0.03311014) >= 0.03311014]


def test_missing_scores(make_batch: MakeBatch) -> None:
    batch, scores = make_batch("a", "b", "c"), pa.array([5.0, None, 0.0])
    assert Keep(score="s", at_least=1, missing="drop").decide(scores, batch).tolist() == [True, False, False]
    assert Keep(score="s", at_least=1, missing="keep").decide(scores, batch).tolist() == [True, True, False]
    with pytest.raises(DataError, match=r"^in\.jsonl:2: document 'd2' has no score 's'; say `missing: drop`"):
        Keep(score="s", at_least=1).decide(scores, batch)


def test_near_counts_scores_within_the_tolerance_of_either_bound() -> None:
    keep = Keep(score="s", at_least=0.25, below=0.75)
    scores = pa.array([0.25, 0.25 + 1e-6, 0.25 - 1e-6, 0.2501, 0.5, 0.75 - 1e-6, None, 1.0])
    assert keep.near(scores, 2e-6) == 4
    assert keep.near(scores, 0.0) == 0
    assert keep.near(pa.array([None, None], pa.float64()), 1.0) == 0


def test_reason_is_a_stable_name() -> None:
    assert Keep(score="dclm_quality", at_least=0.5).reason == "dclm_quality"
    assert Keep(score="s", at_least=0.5, reason="too short").reason == "too short"
    assert Keep(score="s", at_least=0.5) == Keep(score="s", at_least=0.5, reason="s")
    assert Keep(score="s", at_least=1, expect=Expect(percent=65.6, within=3)).expect == Expect(percent=65.6, within=3)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({}, "no bound for 's'; give at_least, above, at_most or below"),
        ({"at_least": 1, "above": 1}, "both lower bounds"),
        ({"at_most": 1, "below": 1}, "both upper bounds"),
        ({"at_least": 2, "at_most": 1}, "the lower bound 2 is above the upper bound 1"),
    ],
)
def test_wrong_bounds_are_refused(bounds: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Keep(score="s", **bounds)
