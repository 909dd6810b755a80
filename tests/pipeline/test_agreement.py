"""An approximate measure's scores are compared with its reference on the first documents of a shard, and on no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa

from dolmino_cli.documents import Batch
from dolmino_cli.pipeline.agreement import SAMPLE_DOCUMENTS, Agreement, compare
from tests.stages.conftest import batch_of


@dataclass(frozen=True, kw_only=True)
class Rounded:
    """The number that the text is, rounded; null for the text "narrow", whose reference has a score. Exact where `exact`."""

    into: str = "s"
    exact: bool = False
    tolerance: ClassVar[float] = 0.0
    asked: ClassVar[list[int]] = []

    def prepare(self) -> dict[str, str]:
        return {}

    def __call__(self, batch: Batch) -> pa.Array:
        return pa.array([None if text == "narrow" else float(round(float(text))) for text in batch.text.to_pylist()])

    def reference(self, batch: Batch) -> pa.Array | None:
        self.asked.append(len(batch))
        return None if self.exact else pa.array([9.0 if text == "narrow" else float(text) for text in batch.text.to_pylist()])


def compared(stage: Rounded, *batches: Batch) -> dict[str, Agreement]:
    agreements: dict[str, Agreement] = {}
    for batch in batches:
        compare(stage, batch, stage(batch), agreements)
    return agreements


def test_differences_add_up() -> None:
    found = compared(Rounded(), batch_of("1.25", "narrow", "2"), batch_of("3.5"))
    assert found == {"s": Agreement(documents=3, total=0.75, largest=0.5, unlike=1)}
    assert found["s"].mean == 0.25 and Agreement().mean == 0


def test_the_sample_ends() -> None:
    stage = Rounded()
    stage.asked.clear()
    few, many = batch_of(*["1.25"] * 5), batch_of(*["1.25"] * 40)
    assert compared(stage, few, many, many)["s"].documents == SAMPLE_DOCUMENTS
    assert stage.asked == [5, SAMPLE_DOCUMENTS - 5]


def test_exact_scores_need_no_comparison() -> None:
    assert compared(Rounded(exact=True), batch_of("1.25")) == {}
    assert compared(Rounded(), batch_of()) == {}
