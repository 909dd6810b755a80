"""The search for new numbers under which a problem still makes sense."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from random import Random

from dolmino_cli.stages.renumber_amounts import amount, ceiling, common_factor, near, same_kind
from dolmino_cli.stages.renumber_arithmetic import Constant, Exact, Result, Term, Variable, evaluate, exact, leaves
from dolmino_cli.stages.renumber_graph import Given, Graph
from dolmino_cli.stages.renumber_numbers import written

_STEPS_PER_START = 40
_FINE_SHARE = 0.5  # of the starts after the first two
# Words that choose between amounts: the choice that the answer made must stay the right one, so all amounts keep their order.
_COMPARES = re.compile(
    r"\b(?:which|whichever|cheap\w+|expensive|\w{3,}est|most|least|minimum|maximum|slower|faster|heavier|lighter|better|enough|"
    r"limit\w*|exceed\w*|up to|over|overtime|only if|budget|afford|qualif\w+|capacity|fits?)\b|(?<!<)<(?!<)|(?<!>)>(?!>)",
    re.I,
)
# Words of marks, which are 100 at most, an amount or result that is no more than that stays so.
_MARKS = re.compile(r"\b(?:quiz(?:zes)?|tests?|exams?|midterms?|graded?|grades|scor\w+|marks|percent\w*)\b", re.I)
_FULL_MARKS = 100


class Search:
    """What must hold for new values of a graph's givens, and the search for some.

    A draw of all numbers is mended one number at a time: of those behind a condition that fails, one is drawn again.
    """

    def __init__(self, text: str, graph: Graph) -> None:
        self._graph = graph
        most = _FULL_MARKS if _MARKS.search(text) else None
        self._amounts = [amount(given, most) for given in graph.givens]
        self._free = frozenset(index for index, given in enumerate(graph.givens) if not given.fixed)
        self._behind: list[frozenset[int]] = []  # the free givens behind each result
        for step in graph.steps:
            self._behind.append(self._involved(step))
        shown = dict.fromkeys(place.term for place in graph.places)
        self._shown = [(term, self._as_stands(term)) for term in shown if not isinstance(term, (Constant, Result))]
        self._equal = list(
            dict.fromkeys((left, right) for left, right in graph.equal if self._involved(left) | self._involved(right))
        )
        # Most equalities hold for any values, as of two steps that do the same; they hold for some odd ones then.
        self._solved = self._equal
        odd = [given.value + (101 + 37 * index if index in self._free else 0) for index, given in enumerate(graph.givens)]
        self._solved = [pair for pair, gap in zip(self._equal, self._gaps(odd), strict=False) if gap]
        capped = dict.fromkeys((place.term, ceiling(place.number)) for place in graph.places)
        if most is not None:
            capped |= {(Result(index), most): None for index, result in enumerate(graph.results) if result <= most}
        self._capped = [(term, bound) for term, bound in capped if bound is not None and self._involved(term)]
        self._spelled = [place for place in graph.places if place.number.in_words and self._involved(place.term)]
        self._ascending = self._orders(_COMPARES.search(text) is not None)

    def run(self, random: Random, steps: int) -> list[Exact] | None:
        """New values of the givens, after at most `steps` draws of a number; None where none were found.

        Every free given changes if that can be had within a quarter of the steps; after that, as many as were seen to.
        """
        best: list[Exact] | None = None
        most_changed = 0
        for start in range(0, steps, _STEPS_PER_START):
            if best is not None and 4 * start >= steps:
                break
            factor, fine = common_factor(random), start >= 2 * _STEPS_PER_START and random.random() < _FINE_SHARE
            values = [
                each.draw(factor, fine, random) if index in self._free else each.old for index, each in enumerate(self._amounts)
            ]
            for _ in range(_STEPS_PER_START):
                self._mend(values, random)
                involved = self._violated(values)
                if involved is None:
                    involved = frozenset(index for index in self._free if values[index] == self._amounts[index].old)
                    if not involved:
                        return values
                    if (changed := len(self._free) - len(involved)) > most_changed:
                        best, most_changed = values.copy(), changed
                if not involved:
                    return None  # nothing free is behind what does not hold
                index = _pick(involved, random)
                values[index] = self._amounts[index].draw(factor, fine, random)
        return best

    def results(self, values: Sequence[Exact]) -> list[Exact]:
        """What every step comes to. Raises ZeroDivisionError."""
        results: list[Exact] = []
        for step in self._graph.steps:
            results.append(evaluate(step, values, results))
        return results

    def _violated(self, values: Sequence[Exact]) -> frozenset[int] | None:
        """The free givens behind the first condition that does not hold; None where all hold."""
        givens, results = self._graph.givens, list[Exact]()
        for low, high in self._graph.below:
            coprime = math.gcd(int(givens[low].value), int(givens[high].value)) == 1
            if values[low] >= values[high] or (coprime and math.gcd(int(values[low]), int(values[high])) > 1):
                return self._free & {low, high}
        for index in self._free:
            if (values[index].denominator == 1) != (givens[index].value.denominator == 1):
                return frozenset({index})
        for index, step in enumerate(self._graph.steps):
            try:
                results.append(evaluate(step, values, results))
            except ZeroDivisionError:
                return self._behind[index]
            if not (same_kind(self._graph.results[index], results[index]) and near(self._graph.results[index], results[index])):
                return self._behind[index]
        for order in self._ascending:
            for left, right in itertools.pairwise(order):
                if evaluate(left, values, results) >= evaluate(right, values, results):
                    return self._involved(left) | self._involved(right)
        for shown, old in self._shown:
            if not same_kind(old, evaluate(shown, values, results)):
                return self._involved(shown)
        for capped, most in self._capped:
            if evaluate(capped, values, results) > most:
                return self._involved(capped)
        for left, right in self._equal:
            if evaluate(left, values, results) != evaluate(right, values, results):
                return self._involved(left) | self._involved(right)
        for place in self._spelled:
            if written(evaluate(place.term, values, results), place.number) is None:
                return self._involved(place.term)
        return None

    def _mend(self, values: list[Exact], random: Random) -> None:
        """Solve the first equality that does not hold for one of the givens behind it, as if it were linear in that one."""
        gaps = self._gaps(values)
        pair = next((pair for pair, gap in enumerate(gaps) if gap), None)
        if pair is None:
            return
        index = _pick(self._involved(self._solved[pair][0]) | self._involved(self._solved[pair][1]), random)
        moved = self._gaps([*values[:index], values[index] + 1, *values[index + 1 :]])
        if moved and moved[pair] != gaps[pair]:
            root = exact(values[index] - Fraction(gaps[pair], moved[pair] - gaps[pair]))
            if self._amounts[index].admits(root):
                values[index] = root

    def _gaps(self, values: Sequence[Exact]) -> list[Exact]:
        """By how much the sides of each equality to be solved differ; nothing where that cannot be calculated."""
        if not self._solved:
            return []
        try:
            results = self.results(values)
            return [evaluate(left, values, results) - evaluate(right, values, results) for left, right in self._solved]
        except ZeroDivisionError:
            return []

    def _as_stands(self, term: Term) -> Exact:
        return evaluate(term, self._graph.values(), self._graph.results)

    def _orders(self, everything: bool) -> list[list[Term]]:
        """Chains of terms that must stay ascending: the question's amounts of one kind, or all amounts together."""
        givens = self._graph.givens
        if everything:
            terms: dict[Exact, Term] = {result: Result(index) for index, result in enumerate(self._graph.results)}
            terms |= {given.value: Variable(index) for index, given in enumerate(givens)}
            return [[terms[value] for value in sorted(terms)]]
        kinds = (_is_percent, _is_money, _is_plain)
        chains = [[index for index, given in enumerate(givens) if kind(given)] for kind in kinds]
        return [[Variable(index) for index in sorted(chain, key=lambda index: givens[index].value)] for chain in chains]

    def _involved(self, term: Term) -> frozenset[int]:
        """The free givens behind `term`."""
        return _union(
            {leaf.index} & self._free if isinstance(leaf, Variable) else self._behind[leaf.index]
            for leaf in leaves(term)
            if not isinstance(leaf, Constant)
        )


def _pick(from_: Iterable[int], random: Random) -> int:
    among = sorted(from_)
    return among[int(random.random() * len(among))]


def _union(sets: Iterable[Iterable[int]]) -> frozenset[int]:
    return frozenset(itertools.chain.from_iterable(sets))


def _is_percent(given: Given) -> bool:
    return any(mention.percent for mention in given.mentions)


def _is_money(given: Given) -> bool:
    return any(mention.money for mention in given.mentions)


def _is_plain(given: Given) -> bool:
    return any(not mention.percent and not mention.money for mention in given.mentions)
