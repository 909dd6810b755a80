"""Solving what must be equal for one number of a problem."""

from __future__ import annotations

import operator
from collections.abc import Hashable, Sequence

from dolmino_cli.stages.renumber_amounts import Amount
from dolmino_cli.stages.renumber_arithmetic import Exact, divide, exact
from dolmino_cli.stages.renumber_graph import Graph
from dolmino_cli.stages.renumber_program import Program, execute


class Equalities:
    """The equalities of a problem that new values can break: most hold for any, as of two steps that do the same."""

    def __init__(self, graph: Graph, program: Program, amounts: Sequence[Amount]) -> None:
        odd = [given.value + (101 + 37 * index if index in program.free else 0) for index, given in enumerate(graph.givens)]
        registers = program.run(odd)
        self._breakable = [
            Equality(program, amounts, left, right)
            for left, right in program.equal
            if registers is not None and registers[left] != registers[right]
        ]

    def broken(self, values: tuple[Exact, ...]) -> Equality | None:
        """The first equality that does not hold; None where there is none, or none that can be calculated."""
        for equality in self._breakable:
            gap = equality.gap(values)
            if gap is None:
                return None
            if gap:
                return equality
        return None


class Equality:
    """Two registers that must hold the same.

    Few of a problem's givens are behind one: two of three gaps are asked for again, and remembered.
    """

    def __init__(self, program: Program, amounts: Sequence[Amount], left: int, right: int) -> None:
        self.behind = program.behind(left, right)
        """The givens that can change whether it holds."""
        divisions = program.divisions()
        self._program, self._amounts, self._left, self._right = program, amounts, left, right
        self._instructions = program.needed(left, right, *divisions)
        self._key = operator.itemgetter(*program.behind(left, right, *divisions))
        self._gaps: dict[Hashable, Exact | None] = {}

    def gap(self, values: Sequence[Exact]) -> Exact | None:
        """By how much the sides differ; None where anything in the problem divides by zero."""
        key = self._key(values)
        if key not in self._gaps:
            registers = self._program.started(values)
            done = execute(self._instructions, registers)
            self._gaps[key] = registers[self._left] - registers[self._right] if done else None
        return self._gaps[key]

    def mended(self, values: tuple[Exact, ...], index: int) -> tuple[Exact, ...]:
        """`values` with it solved for a given behind it as if linear in that; as they are where that cannot be."""
        gap, moved = self.gap(values), self.gap(put(values, index, values[index] + 1))
        if gap is None or moved is None or moved == gap:
            return values
        root = exact(values[index] - divide(gap, moved - gap))
        return put(values, index, root) if self._amounts[index].admits(root) else values


def put(values: tuple[Exact, ...], index: int, value: Exact) -> tuple[Exact, ...]:
    """`values` with another one at `index`."""
    return (*values[:index], value, *values[index + 1 :])
