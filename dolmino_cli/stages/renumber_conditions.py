"""What must hold for new numbers of a problem, so that it still makes sense."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from dolmino_cli.stages.renumber_amounts import ceiling, near, same_kind
from dolmino_cli.stages.renumber_arithmetic import Constant, Exact, Result
from dolmino_cli.stages.renumber_graph import Given, Graph
from dolmino_cli.stages.renumber_numbers import Number, written
from dolmino_cli.stages.renumber_program import Instruction, Program, execute

# Words that choose between amounts: the choice that the answer made must stay the right one, so all amounts keep their order.
# It looks ahead for what those begin with, as trying all of them at every letter takes five times as long.
_COMPARES = re.compile(
    r"(?=[abcefhlmoqsuw<>])(?:"
    r"\b(?:which|whichever|cheap\w+|expensive|most|least|minimum|maximum|slower|faster|heavier|lighter|better|enough|limit\w*|"
    r"exceed\w*|up to|over|overtime|only if|budget|afford|qualif\w+|capacity|fits?)\b|(?<=\w{3})est\b|(?<!<)<(?!<)|(?<!>)>(?!>))",
    re.I,
)


class _Condition(NamedTuple):
    instructions: Sequence[Instruction]
    """Those that it needs and no condition before it."""
    holds: Callable[[Sequence[Exact]], bool]
    """Of what the registers hold."""
    behind: tuple[int, ...]
    """The givens that can change whether it holds."""


class Conditions:
    """What must hold for new values of a graph's givens. `most` is what amounts may be at most that are no more now."""

    def __init__(self, text: str, graph: Graph, program: Program, most: int | None) -> None:
        self._graph = graph
        self._program = program
        self._done: set[Instruction] = set()
        self._conditions = [
            *self._fractions(),
            *self._wholes(),
            *self._results(),
            *self._orders(_COMPARES.search(text) is not None),
            *self._shown(),
            *self._caps(most),
            *self._equalities(),
            *self._spelled(),
        ]

    def violated(self, values: Sequence[Exact]) -> tuple[int, ...] | None:
        """The free givens behind the first condition that does not hold; None where all hold."""
        registers = self._program.started(values)
        for instructions, holds, behind in self._conditions:
            if not (execute(instructions, registers) and holds(registers)):
                return behind
        return None

    def _fractions(self) -> Iterator[_Condition]:
        """Numerators stay below their denominators, and fractions that cannot be reduced stay so."""
        givens = self._graph.givens
        for low, high in self._graph.below:
            coprime = math.gcd(int(givens[low].value), int(givens[high].value)) == 1
            yield self._condition(partial(_is_share, low, high, coprime), low, high)

    def _wholes(self) -> Iterator[_Condition]:
        for index in self._program.free:
            whole = self._graph.givens[index].value.denominator == 1
            yield self._condition(partial(_is_whole, index, whole), index)

    def _results(self) -> Iterator[_Condition]:
        for index, old in enumerate(self._graph.results):
            register = self._program.register(Result(index))
            yield self._condition(partial(_is_alike, register, old), register)

    def _orders(self, everything: bool) -> Iterator[_Condition]:
        """What must stay ascending: the question's amounts of one kind, or all amounts together."""
        givens = self._graph.givens
        if everything:
            held = {result: self._program.register(Result(index)) for index, result in enumerate(self._graph.results)}
            held |= {given.value: index for index, given in enumerate(givens)}
            chains = [[held[value] for value in sorted(held)]]
        else:
            of_kind = [
                [index for index, given in enumerate(givens) if kind(given)] for kind in (_is_percent, _is_money, _is_plain)
            ]
            chains = [sorted(chain, key=lambda index: givens[index].value) for chain in of_kind]
        for chain in chains:
            for left, right in itertools.pairwise(chain):
                yield self._condition(partial(_ascends, left, right), left, right)

    def _shown(self) -> Iterator[_Condition]:
        """Whatever the text shows and is no result stays of its kind."""
        terms = [place.term for place in self._graph.places if not isinstance(place.term, (Constant, Result))]
        stands = self._program.run(self._graph.values())
        assert stands is not None, "the problem was calculated as it stands when its graph was made"
        for register in dict.fromkeys(map(self._program.register, terms)):
            yield self._condition(partial(_is_of_kind, register, stands[register]), register)

    def _caps(self, most: int | None) -> Iterator[_Condition]:
        bounds = {(self._program.register(place.term), ceiling(place.number)): None for place in self._graph.places}
        if most is not None:
            for index, result in enumerate(self._graph.results):
                if result <= most:
                    bounds[self._program.register(Result(index)), most] = None
        for register, bound in bounds:
            if bound is not None and self._program.behind(register):
                yield self._condition(partial(_is_within, register, bound), register)

    def _equalities(self) -> Iterator[_Condition]:
        for left, right in self._program.equal:
            yield self._condition(partial(_are_equal, left, right), left, right)

    def _spelled(self) -> Iterator[_Condition]:
        for place in self._graph.places:
            register = self._program.register(place.term)
            if place.number.in_words and self._program.behind(register):
                yield self._condition(partial(_can_be_written, register, place.number), register)

    def _condition(self, holds: Callable[[Sequence[Exact]], bool], *registers: int) -> _Condition:
        instructions = [instruction for instruction in self._program.needed(*registers) if instruction not in self._done]
        self._done.update(instructions)
        return _Condition(instructions, holds, self._program.behind(*registers))


def _is_share(low: int, high: int, coprime: bool, registers: Sequence[Exact]) -> bool:
    below = registers[low] < registers[high]
    return below and not (coprime and math.gcd(int(registers[low]), int(registers[high])) > 1)


def _is_whole(index: int, whole: bool, registers: Sequence[Exact]) -> bool:
    return (registers[index].denominator == 1) == whole


def _is_alike(register: int, old: Exact, registers: Sequence[Exact]) -> bool:
    return same_kind(old, registers[register]) and near(old, registers[register])


def _is_of_kind(register: int, old: Exact, registers: Sequence[Exact]) -> bool:
    return same_kind(old, registers[register])


def _ascends(left: int, right: int, registers: Sequence[Exact]) -> bool:
    return registers[left] < registers[right]


def _is_within(register: int, bound: int, registers: Sequence[Exact]) -> bool:
    return registers[register] <= bound


def _are_equal(left: int, right: int, registers: Sequence[Exact]) -> bool:
    return registers[left] == registers[right]


def _can_be_written(register: int, like: Number, registers: Sequence[Exact]) -> bool:
    return written(registers[register], like) is not None


def _is_percent(given: Given) -> bool:
    return any(mention.percent for mention in given.mentions)


def _is_money(given: Given) -> bool:
    return any(mention.money for mention in given.mentions)


def _is_plain(given: Given) -> bool:
    return any(not mention.percent and not mention.money for mention in given.mentions)
