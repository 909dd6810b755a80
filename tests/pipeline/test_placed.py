"""Measures that want a GPU are done where an executor has one, of id and text alone; all others stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from dolmino_cli.documents import Batch
from dolmino_cli.executors.local import Local
from dolmino_cli.pipeline.placed import Placed, placed
from dolmino_cli.recipe import Recipe
from dolmino_cli.stages.keep import Keep
from dolmino_cli.stages.length import Length
from tests.stages.conftest import batch_of


@dataclass(frozen=True, kw_only=True)
class Letters:
    """A measure that says that it wants a GPU."""

    into: str = "letters"
    tolerance: ClassVar[float] = 0.5
    batch_bytes: ClassVar[int] = 1 << 24
    accelerated: ClassVar[bool] = True

    def prepare(self) -> dict[str, str]:
        return {"device": "a fast one"}

    def __call__(self, batch: Batch) -> pa.Array:
        assert batch.record.null_count == len(batch), "records are not sent"
        return pc.utf8_length(batch.text).cast(pa.int64())

    def reference(self, batch: Batch) -> pa.Array | None:
        return pc.utf8_length(batch.id).cast(pa.int64())


@dataclass(frozen=True, kw_only=True)
class WithGpus(Local):
    """Local workers, and a list of what was done elsewhere."""

    done: list[str] = field(default_factory=list)

    def elsewhere(self, function: Callable[..., Any], *arguments: Any) -> Any:
        self.done.append(function.__name__)
        return function(*arguments)


LENGTH, LETTERS, KEEP = Length(unit="characters", into="characters"), Letters(), Keep(score="letters", at_least=2)
RECIPE = Recipe(name="small", stages=(LENGTH, LETTERS, KEEP))


def test_a_measure_is_done_elsewhere_and_is_the_same_to_all_others() -> None:
    executor = WithGpus()
    first, moved, last = placed(RECIPE, executor).stages
    assert (first, last) == (LENGTH, KEEP) and isinstance(moved, Placed)
    assert (moved.into, moved.tolerance, moved.batch_bytes, moved.accelerated) == ("letters", 0.5, 1 << 24, True)
    assert moved.prepare() == {"device": "a fast one"}
    batch = batch_of("one", "", "naïve")
    assert moved(batch).to_pylist() == [3, 0, 5]
    assert moved.reference(batch).to_pylist() == [2, 2, 2]  # type: ignore[union-attr]
    assert executor.done == ["_batch_bytes", "_prepare", "_measure", "_reference"]


def test_nothing_moves_where_there_is_no_elsewhere_or_nothing_wants_it() -> None:
    assert placed(RECIPE, Local(workers=2)) is RECIPE
    executor = WithGpus()
    plain = Recipe(name="small", stages=(LENGTH, Keep(score="characters", at_least=2)))
    assert placed(plain, executor) is plain and executor.done == []
