"""The calculations of a problem as one sequence of instructions, for values that are tried by the thousand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from dolmino_cli.stages.renumber_arithmetic import OPERATIONS, Constant, Exact, Result, Term, Variable, divide, leaves
from dolmino_cli.stages.renumber_graph import Graph


class Instruction(NamedTuple):
    """Two registers joined into a third."""

    target: int
    calculate: Callable[[Exact, Exact], Exact]
    left: int
    right: int


class Program:
    """Every term of a graph has a register; what two terms share is calculated once.

    Registers hold the givens, the constants, then what one instruction each comes to: those of the steps, of the places, and
    of the equalities. (5 - 2) * 5 over the given 5 has the registers [5, 2, 3, 15].
    """

    def __init__(self, graph: Graph) -> None:
        sides = [side for pair in graph.equal for side in pair]
        terms = [*graph.steps, *(place.term for place in graph.places), *sides]
        constants = dict.fromkeys(leaf.value for term in terms for leaf in leaves(term) if isinstance(leaf, Constant))
        self._initial: list[Exact] = [*graph.values(), *constants]
        self._constant_at = {value: len(graph.givens) + place for place, value in enumerate(constants)}
        self._instructions: list[Instruction] = []
        self._operation_at: dict[tuple[str, int, int], int] = {}
        self.free = frozenset(index for index, given in enumerate(graph.givens) if not given.fixed)
        """The givens that can change."""
        self._behind = [self.free & {index} for index in range(len(self._initial))]
        self._results: list[int] = []
        for step in graph.steps:
            self._results.append(self.register(step))
        for term in terms:
            self.register(term)
        pairs = dict.fromkeys((self.register(left), self.register(right)) for left, right in graph.equal)
        self.equal = [pair for pair in pairs if self.behind(*pair)]
        """Registers that must hold the same, where they can come to differ."""

    def register(self, term: Term) -> int:
        """Where the value of a term of the graph is."""
        if isinstance(term, Variable):
            return term.index
        if isinstance(term, Result):
            return self._results[term.index]
        if isinstance(term, Constant):
            return self._constant_at[term.value]
        left, right = self.register(term.left), self.register(term.right)
        key = term.sign, left, right
        if key not in self._operation_at:
            target = self._operation_at[key] = len(self._initial)
            self._instructions.append(Instruction(target, OPERATIONS[term.sign], left, right))
            self._initial.append(0)
            self._behind.append(self._behind[left] | self._behind[right])
        return self._operation_at[key]

    def behind(self, *registers: int) -> tuple[int, ...]:
        """The givens that can change what some of `registers` hold, in order."""
        return tuple(sorted(frozenset[int]().union(*(self._behind[register] for register in registers))))

    def needed(self, *registers: int) -> list[Instruction]:
        """The instructions that `registers` come from, in the order to do them."""
        wanted = {*registers}
        needed = []
        for instruction in reversed(self._instructions):
            if instruction.target in wanted:
                wanted |= {instruction.left, instruction.right}
                needed.append(instruction)
        return needed[::-1]

    def divisions(self) -> list[int]:
        """The registers of divisions that some values of the givens make impossible."""
        return [each.target for each in self._instructions if each.calculate is divide and self._behind[each.right]]

    def started(self, values: Sequence[Exact]) -> list[Exact]:
        """Registers with these values of the givens, and nothing executed."""
        registers = self._initial.copy()
        registers[: len(values)] = values
        return registers

    def run(self, values: Sequence[Exact]) -> list[Exact] | None:
        """The registers with all instructions done; None where one divides by zero."""
        registers = self.started(values)
        return registers if execute(self._instructions, registers) else None


def execute(instructions: Sequence[Instruction], registers: list[Exact]) -> bool:
    """Do `instructions` on `registers`; False where one divides by zero."""
    try:
        for target, calculate, left, right in instructions:
            registers[target] = calculate(registers[left], registers[right])
    except ZeroDivisionError:
        return False
    return True
