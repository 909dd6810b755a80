"""The search for new numbers under which a problem still makes sense."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from random import Random

from dolmino_cli.stages.renumber_amounts import amount, common_factor
from dolmino_cli.stages.renumber_arithmetic import Exact, evaluate
from dolmino_cli.stages.renumber_conditions import Conditions
from dolmino_cli.stages.renumber_equalities import Equalities, Equality, put
from dolmino_cli.stages.renumber_graph import Graph
from dolmino_cli.stages.renumber_program import Program

_STEPS_PER_START = 40
_FINE_SHARE = 0.5  # of the starts after the first two
# Words of marks, which are 100 at most, an amount or result that is no more than that stays so.
_MARKS = re.compile(r"(?=[qtemgsp])\b(?:quiz(?:zes)?|tests?|exams?|midterms?|graded?|grades|scor\w+|marks|percent\w*)\b", re.I)
_FULL_MARKS = 100


class Search:
    """The search for new values of a graph's givens under which all conditions hold.

    A draw of all numbers is mended one number at a time: of those behind a condition that fails, one is drawn again.
    """

    def __init__(self, text: str, graph: Graph) -> None:
        self._graph = graph
        most = _FULL_MARKS if _MARKS.search(text) else None
        self._amounts = [amount(given, most) for given in graph.givens]
        program = Program(graph)
        self._free = program.free
        # Four of five combinations of values that GSM8K's problems are tried with were tried before.
        self._broken = functools.cache(Equalities(graph, program, self._amounts).broken)
        self._mended = functools.cache(Equality.mended)
        self._violated = functools.cache(Conditions(text, graph, program, most).violated)

    def run(self, random: Random, steps: int) -> tuple[Exact, ...] | None:
        """New values of the givens, after at most `steps` draws of a number; None where none were found.

        Every free given changes if that can be had within a quarter of the steps; after that, as many as were seen to.
        """
        best: tuple[Exact, ...] | None = None
        most_changed = 0
        for start in range(0, steps, _STEPS_PER_START):
            if best is not None and 4 * start >= steps:
                break
            factor, fine = common_factor(random), start >= 2 * _STEPS_PER_START and random.random() < _FINE_SHARE
            draws = {index: self._amounts[index].draws(factor, fine) for index in sorted(self._free)}
            values = tuple(draws[index].draw(random) if index in draws else each.old for index, each in enumerate(self._amounts))
            for _ in range(_STEPS_PER_START):
                if (broken := self._broken(values)) is not None:
                    values = self._mended(broken, values, _pick(broken.behind, random))
                involved = self._violated(values)
                if involved is None:
                    involved = tuple(index for index in sorted(self._free) if values[index] == self._amounts[index].old)
                    if not involved:
                        return values
                    if (changed := len(self._free) - len(involved)) > most_changed:
                        best, most_changed = values, changed
                if not involved:
                    return None  # nothing free is behind what does not hold
                index = _pick(involved, random)
                values = put(values, index, draws[index].draw(random))
        return best

    def results(self, values: Sequence[Exact]) -> list[Exact]:
        """What every step comes to. Raises ZeroDivisionError."""
        results: list[Exact] = []
        for step in self._graph.steps:
            results.append(evaluate(step, values, results))
        return results


def _pick(among: Sequence[int], random: Random) -> int:
    return among[int(random.random() * len(among))]
