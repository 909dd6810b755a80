"""Number replacement: a solved word problem with other numbers, recomputed from the question to the final answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa

from dolmino_cli.documents import Batch
from dolmino_cli.errors import ConfigError
from dolmino_cli.stages.renumber_arithmetic import Exact, evaluate
from dolmino_cli.stages.renumber_graph import Graph, Unrecoverable
from dolmino_cli.stages.renumber_numbers import article, written
from dolmino_cli.stages.renumber_recover import recover
from dolmino_cli.stages.renumber_search import Search
from dolmino_cli.stages.stage import Edited

REASONS = (
    "no_final_answer",
    "no_annotation",
    "unknowns",
    "relation_unfounded",
    "annotation_unreadable",
    "annotation_wrong",
    "equation_unreadable",
    "number_unbound",
    "answer_not_last_result",
    "nothing_to_replace",
    "no_consistent_numbers",
)


@dataclass(frozen=True, kw_only=True)
class Renumber:
    """GSM8K-style documents with their numbers replaced (OLMo 2 paper, section 4.4.1, DolminoSynthMath).

    A document is a question, a line end, and an answer whose calculations stand in `<<48/2=24>>`, with a last line
    `#### 72`. The paper says that all numbers of question and answer were replaced, and nothing of how; the rules are ours
    (docs/stages.md). Whatever cannot be shown to be consistent is dropped.
    """

    seed: int
    """Which replacement; every seed gives another one of the same problem."""
    steps: int = 1200
    """How many draws of a number the search may take for one document."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ConfigError(f"steps is {self.steps}; give at least 1")

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why documents are dropped."""
        return REASONS

    def prepare(self) -> dict[str, str]:
        """Nothing to load."""
        return {}

    def edit(self, batch: Batch) -> Edited:
        """The documents with new numbers, under the id `ID-renumbered-SEED`; metadata says which numbers were replaced."""
        from dolmino_cli.kernels.keyed_hash import derive_key  # numba, which naming the stages must not load

        ids, texts = batch.id.to_pylist(), batch.text.to_pylist()
        metadata: list[dict[str, Any] | None] = []
        dropped = np.full(len(batch), -1, np.int32)
        for row, (id, text) in enumerate(zip(ids, texts, strict=True)):
            try:
                texts[row], replaced = self._renumbered(text, Random(int.from_bytes(derive_key("renumber", self.seed, id))))
                metadata.append({"renumbered": {"of": id, "seed": self.seed, "numbers": replaced}})
                ids[row] = f"{id}-renumbered-{self.seed}"
            except Unrecoverable as refused:
                dropped[row] = REASONS.index(str(refused))
                metadata.append(None)
        return Edited(
            id=pa.array(ids, pa.large_string()), text=pa.array(texts, pa.large_string()), metadata=metadata, dropped=dropped
        )

    def _renumbered(self, text: str, random: Random) -> tuple[str, list[dict[str, str]]]:
        graph = recover(text)
        if all(given.fixed for given in graph.givens):
            raise Unrecoverable("nothing_to_replace")
        search = Search(text, graph)
        values = search.run(random, self.steps)
        if values is None:
            raise Unrecoverable("no_consistent_numbers")
        return _rewritten(text, graph, values, search.results(values)), _replaced(graph, values)


def _rewritten(text: str, graph: Graph, values: Sequence[Exact], results: Sequence[Exact]) -> str:
    """`text` with every place written from its term."""
    pieces: list[str] = []
    position = 0
    for place in graph.places:
        number = place.number
        new = written(evaluate(place.term, values, results), number)
        assert new is not None, f"the search accepted values that cannot be written as {number.token!r} is"
        changed = article(text, number.start, new) if new != number.token else None
        if changed is not None:
            start, end, right = changed
            pieces += [text[position:start], right]
            position = end
        pieces += [text[position : number.start], new]
        position = number.end
    return "".join((*pieces, text[position:]))


def _replaced(graph: Graph, values: Sequence[Exact]) -> list[dict[str, str]]:
    """The question's numbers that changed, as first mentioned there, old and new."""
    replaced = []
    for given, value in zip(graph.givens, values, strict=True):
        if value != given.value:
            first = given.mentions[0]
            replaced.append({"old": first.token, "new": written(value, first) or str(value)})
    return replaced
