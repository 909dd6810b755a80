"""The computation behind a solved word problem: what every number in its answer stands for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dolmino_cli.stages.renumber_arithmetic import Constant, Exact, Operation, Result, Term, Variable, evaluate, leaves
from dolmino_cli.stages.renumber_numbers import Number


class Unrecoverable(Exception):
    """A problem whose numbers cannot be replaced with certainty; says the reason that it is dropped with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """A value of the question. Mentions of the same value move together.

    Whichever of two equal numbers a step of the answer means, it is right as long as both stay equal.
    """

    value: Exact
    mentions: tuple[Number, ...]
    fixed: bool
    """It keeps its value: a constant could be meant by it, or no step computes with it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A number of the text and the term it is written from."""

    number: Number
    term: Term


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversion:
    """A term that numbers of the answer may be without any step for it."""

    term: Term
    of_hundred: bool = False
    """It is what a percent leaves of 100, or makes of it, which only a percent or a number above 1 can be."""


@dataclass(kw_only=True, slots=True)
class Graph:
    """Givens, steps over them in the answer's order, and what must hold for any other choice of givens."""

    givens: list[Given] = field(default_factory=list)
    steps: list[Term] = field(default_factory=list)
    """Term of every result, over givens and earlier results."""
    results: list[Exact] = field(default_factory=list)
    """What the steps come to as the problem stands."""
    equal: list[tuple[Term, Term]] = field(default_factory=list)
    """Pairs that are equal now and must stay so: different things that one number in the answer could mean."""
    below: list[tuple[int, int]] = field(default_factory=list)
    """Pairs of givens, numerator and denominator of a fraction, the first below the second."""
    conversions: dict[Exact, list[Conversion]] = field(default_factory=dict)
    """What else numbers of the answer could mean, by value."""
    places: list[Place] = field(default_factory=list)
    """Everything to be written anew, in the order of the text."""

    def values(self) -> list[Exact]:
        """The givens' values as the problem stands."""
        return [given.value for given in self.givens]


def add_step(graph: Graph, term: Term, value: Exact) -> Result:
    """The result of a further step that is `term`, which comes to `value`."""
    graph.steps.append(term)
    graph.results.append(value)
    return Result(len(graph.steps) - 1)


def meanings(graph: Graph, number: Number, constants: frozenset[Exact]) -> list[Term]:
    """Everything that a number of the answer could mean: results so far, the latest first, givens, constants, conversions."""
    value = number.value
    found: list[Term] = [Result(index) for index, result in enumerate(graph.results) if result == value]
    found.reverse()
    found += [Variable(index) for index, given in enumerate(graph.givens) if given.value == value]
    if value in constants:
        found.append(Constant(value))
    large = number.percent or value > 1
    found += [conversion.term for conversion in graph.conversions.get(value, ()) if large or not conversion.of_hundred]
    return found


def bind(graph: Graph, number: Number, constants: frozenset[Exact]) -> Term:
    """What `number` is written from. Where it could mean several things, they are bound to stay equal.

    Raises Unrecoverable where it could mean nothing.
    """
    found = meanings(graph, number, constants)
    if not found:
        raise Unrecoverable("number_unbound")
    graph.equal += [(found[0], other) for other in found[1:]]
    return found[0]


def conversions(graph: Graph) -> dict[Exact, list[Conversion]]:
    """By value: percents as shares, cents as dollars, fractions as decimals, and what they leave of the whole."""
    found: dict[Exact, list[Conversion]] = {}
    for conversion in _converted(graph):
        found.setdefault(evaluate(conversion.term, graph.values(), ()), []).append(conversion)
    return found


def _converted(graph: Graph) -> Iterator[Conversion]:
    hundred, one = Constant(100), Constant(1)
    for index, given in enumerate(graph.givens):
        this = Variable(index)
        share = Operation("/", this, hundred)
        percent = any(mention.percent for mention in given.mentions)
        if percent or any(mention.unit in ("cent", "cents") for mention in given.mentions):
            yield Conversion(term=share)
        if percent:
            yield Conversion(term=Operation("-", one, share))
            yield Conversion(term=Operation("+", one, share))
            yield Conversion(term=Operation("-", hundred, this), of_hundred=True)
            yield Conversion(term=Operation("+", hundred, this), of_hundred=True)
    for low, high in graph.below:
        fraction = Operation("/", Variable(low), Variable(high))
        yield Conversion(term=fraction)
        yield Conversion(term=Operation("-", one, fraction))
        yield Conversion(term=Operation("-", Variable(high), Variable(low)))


def computed_with(terms: Sequence[Term]) -> frozenset[int]:
    """The givens that are operands of some of `terms`."""
    return frozenset(leaf.index for term in terms for leaf in leaves(term) if isinstance(leaf, Variable))


def counted(graph: Graph) -> frozenset[int]:
    """How often the answer repeats something, written out: terms of its sums, steps that do the same.

    "The average of the 3 tests" adds three numbers and divides by 3; a 3 of the question cannot change then, for the answer
    would still add three.
    """
    repeated: set[int] = set()
    same: Counter[tuple[str, Term]] = Counter()
    for term in graph.steps:
        addends = list(_addends(graph, term))
        if len(addends) > 2:
            repeated.add(len(addends))
        repeated.update(count for count in Counter(addends).values() if count > 1)
        repeated |= {2} if _halves_a_sum(graph, term) else set()
        for node in _operations(term):
            same[node.sign, node.right] += 1
            if node.sign in "+*":
                same[node.sign, node.left] += 1
    repeated.update(count for count in same.values() if count > 1)
    repeated.update(count + 1 for count in same.values() if count > 1)
    return frozenset(repeated)


def _addends(graph: Graph, term: Term) -> Iterator[Term]:
    """The terms of the sum that `term` is once earlier sums are written out."""
    if isinstance(term, Result) and isinstance(graph.steps[term.index], Operation):
        step = graph.steps[term.index]
        if isinstance(step, Operation) and step.sign == "+":
            yield from _addends(graph, step)
            return
    if isinstance(term, Operation) and term.sign == "+":
        yield from _addends(graph, term.left)
        yield from _addends(graph, term.right)
    else:
        yield term


def _halves_a_sum(graph: Graph, term: Term) -> bool:
    return any(node.sign == "/" and len(list(_addends(graph, node.left))) == 2 for node in _operations(term))


def _operations(term: Term) -> Iterator[Operation]:
    if isinstance(term, Operation):
        yield term
        yield from _operations(term.left)
        yield from _operations(term.right)
