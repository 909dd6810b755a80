"""`keep`: the decision. One score against a bound; what does not meet it is dropped, with a named reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dolmino_cli.documents import Batch
from dolmino_cli.errors import ConfigError, DataError


@dataclass(frozen=True, kw_only=True)
class Expect:
    """A published retention: percent of the documents that come to a decision and are kept, and the band around it."""

    percent: float
    """0 to 100."""
    within: float
    """Points to either side that are still as expected."""
    of: Literal["arriving", "all"] = "arriving"
    """What the percent is of: the documents that come to the decision, or all that came to the recipe's first stage."""

    @property
    def band(self) -> str:
        """As one reads it: `65.6 ± 3 %`."""
        return f"{self.percent:g} ± {self.within:g} %"


@dataclass(frozen=True, kw_only=True)
class Keep:
    """Keep documents whose score meets every bound given; drop the others.

    Bounds compare in float64. DCLM and Ai2's fastText thresholds are `at_least` (dclm,
    baselines/mappers/filters/metadata_filters.py), the paper's "32 or more" repeats are dropped by `below: 32`.
    """

    score: str
    """The score to compare, written by an earlier stage."""
    at_least: float | None = None
    """Lower bound, met by an equal score."""
    above: float | None = None
    """Lower bound, not met by an equal score."""
    at_most: float | None = None
    """Upper bound, met by an equal score."""
    below: float | None = None
    """Upper bound, not met by an equal score."""
    reason: str = ""
    """What dropped documents are counted and marked with; the score's name when not given."""
    missing: Literal["fail", "drop", "keep"] = "fail"
    """What a null score means."""
    expect: Expect | None = None
    """The published retention, if there is one."""

    def __post_init__(self) -> None:
        if not self.reason:
            object.__setattr__(self, "reason", self.score)
        if self.at_least is not None and self.above is not None:
            raise ConfigError(f"at_least {self.at_least:g} and above {self.above:g} are both lower bounds; give one")
        if self.at_most is not None and self.below is not None:
            raise ConfigError(f"at_most {self.at_most:g} and below {self.below:g} are both upper bounds; give one")
        if not self.bounds:
            raise ConfigError(f"no bound for {self.score!r}; give at_least, above, at_most or below")
        lower = self.at_least if self.at_least is not None else self.above
        upper = self.at_most if self.at_most is not None else self.below
        if lower is not None and upper is not None and lower > upper:
            raise ConfigError(f"the lower bound {lower:g} is above the upper bound {upper:g}; no score can meet both")

    @property
    def bounds(self) -> tuple[float, ...]:
        """The bounds given."""
        return tuple(bound for bound in (self.at_least, self.above, self.at_most, self.below) if bound is not None)

    @property
    def rule(self) -> str:
        """The rule as one reads it: `dclm_quality >= 0.03311014`."""
        signs = {">=": self.at_least, ">": self.above, "<=": self.at_most, "<": self.below}
        return self.score + " and".join(f" {sign} {bound:.10g}" for sign, bound in signs.items() if bound is not None)

    def decide(self, scores: pa.Array, batch: Batch) -> np.ndarray:
        """True where a document stays, one bool per document of `batch`.

        Raises DataError naming the first document with a null score when `missing` is "fail".
        """
        keeps = self.meets(scores.cast(pa.float64()).to_numpy(zero_copy_only=False))
        if scores.null_count:
            absent = pc.is_null(scores).to_numpy(zero_copy_only=False)
            if self.missing == "fail":
                self._refuse(int(np.argmax(absent)), batch)
            keeps[absent] = self.missing == "keep"
        return keeps

    def meets(self, values: np.ndarray) -> np.ndarray:
        """True where a value (float64) is within all bounds; NaN is within none."""
        met = np.ones(len(values), dtype=bool)
        if self.at_least is not None:
            met &= values >= self.at_least
        if self.above is not None:
            met &= values > self.above
        if self.at_most is not None:
            met &= values <= self.at_most
        if self.below is not None:
            met &= values < self.below
        return met

    def near(self, scores: pa.Array, tolerance: float) -> int:
        """How many scores lie within `tolerance` of a bound: documents that an exact score might decide otherwise."""
        if tolerance == 0:
            return 0
        values = scores.drop_null().cast(pa.float64()).to_numpy()
        close = np.zeros(len(values), dtype=bool)
        for bound in self.bounds:
            close |= np.abs(values - bound) <= tolerance
        return int(close.sum())

    def _refuse(self, row: int, batch: Batch) -> None:
        raise DataError(
            f"document {batch.id[row].as_py()!r} has no score {self.score!r}; say `missing: drop` or `missing: keep` in the"
            " recipe, or make the score for every document",
            path=batch.shard,
            line=batch.line[row].as_py(),
        )
