"""From the text of a solved word problem to its computation graph, or to the reason why there is none to trust."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace

from dolmino_cli.stages.renumber_arithmetic import Constant, Exact, Operation, Result, Term, Variable, evaluate, exact, parse
from dolmino_cli.stages.renumber_graph import (
    Given,
    Graph,
    Place,
    Unrecoverable,
    add_step,
    bind,
    computed_with,
    conversions,
    counted,
)
from dolmino_cli.stages.renumber_line import (
    ANNOTATION,
    Annotation,
    Sign,
    Token,
    as_stands,
    left_side,
    right_side,
    spelled_term,
    tokens,
    unsigned_before,
)
from dolmino_cli.stages.renumber_numbers import Number, numbers
from dolmino_cli.stages.renumber_said import MOST_COUNTED, known, listed, said_twice
from dolmino_cli.stages.renumber_words import constants, relations

_CALCULATION = re.compile(r"([\d.+\-*/()]+)=(\d*\.?\d+)")
_OPERAND = re.compile(r"\d*\.?\d+|[+\-*/()]")
_GAP = re.compile(r"\s?[$£€]?\s?")
_FINAL = re.compile(r"\n#### ?[$£€]?([\d.,]*\d)\s*\Z")
# A letter that stands for a number: what the answer does with it does not stand in its annotations.
_UNKNOWN = re.compile(r"\d ?[a-zA-Z]\s*[=+]|\b[b-zB-HJ-Z]\s*=|\d[b-fh-jnopqrt-wyzA-Z]\b|\b[Ll]et\s+\w\b|[-+=(]\s*[xyz]\b")


def recover(text: str) -> Graph:
    """The graph of a document: question, a line end, an answer with <<calculator=annotations>>, and last `#### NUMBER`.

    Raises Unrecoverable with the first reason that applies, of `renumber.REASONS`.
    """
    line_end, final = text.find("\n"), _FINAL.search(text)
    if line_end < 0 or final is None or final.start() <= line_end:
        raise Unrecoverable("no_final_answer")
    answer = text[line_end : final.start()]
    if ANNOTATION.search(answer) is None:
        raise Unrecoverable("no_annotation")
    if _UNKNOWN.search(ANNOTATION.sub("", answer)):
        raise Unrecoverable("unknowns")
    if not relations(answer) <= relations(text[:line_end]):
        raise Unrecoverable("relation_unfounded")
    return _Reading(text, line_end, final).graph


class _Reading:
    """One document being read; the graph grows from the start of the answer to its end."""

    def __init__(self, text: str, line_end: int, final: re.Match[str]) -> None:
        self._text = text
        self._constants = constants(text)
        self._named: set[str] = set()
        self._read: dict[int, Term] = {}  # of numbers in the answer, by where they start
        self._operands: set[Exact] = {0, 1}  # values that annotations calculate with
        self.graph = Graph()
        self._question(line_end)
        start = line_end + 1
        while start < final.start() + 1:
            end = text.find("\n", start)
            self._line(start, end)
            start = end + 1
        self._final_answer(final)
        self._hold_still()
        for place in self.graph.places:
            if isinstance(place.term, Constant) and place.number.value not in self._operands:
                raise Unrecoverable("number_unbound")  # prose only: "the remaining two days" is not known, but calculated
        self.graph.places.sort(key=lambda place: place.number.start)

    def _question(self, line_end: int) -> None:
        asked = list(numbers(self._text, 0, line_end))
        self._named = {number.token.lower() for number in asked if number.named}
        mentions: dict[Exact, list[Number]] = {}
        for number in asked:
            mentions.setdefault(number.value, []).append(number)
        question = self._text[:line_end]
        lists = listed(question)
        for value, them in mentions.items():
            counts = value <= MOST_COUNTED and value in lists
            fixed = value in self._constants or counts or any(mention.fixed or known(question, mention) for mention in them)
            self.graph.givens.append(Given(value=value, mentions=tuple(them), fixed=fixed))
        index = {value: place for place, value in enumerate(mentions)}
        self.graph.equal += said_twice(self.graph, relations(question))
        for left, right in itertools.pairwise(asked):
            if left.over and right.under and left.value < right.value:
                self.graph.below.append((index[left.value], index[right.value]))
        self.graph.conversions = conversions(self.graph)

    def _line(self, start: int, end: int) -> None:
        """Annotations and equations in prose from left to right, then the numbers that are left.

        Those may be results that their line states only later ("He spent $7, for 4 + 3 = ...").
        """
        line = tokens(self._text, start, end)
        for place, token in enumerate(line):
            if isinstance(token, Annotation):
                self._annotation(line, place, token)
            elif isinstance(token, Sign) and token.symbol == "=":
                self._equation(line, place)
        for token in line:
            if isinstance(token, Number):
                self._meant(token)

    def _annotation(self, line: list[Token], place: int, annotation: Annotation) -> None:
        found = _CALCULATION.fullmatch(self._text, annotation.start + 2, annotation.end - 2)
        if found is None:
            raise Unrecoverable("annotation_unreadable")
        shown = _literal(found[2], found.start(2))
        operands = [_operand(token) for token in _OPERAND.finditer(self._text, found.start(1), found.end(1))]
        if _times_one(operands) and all(given.value != 1 for given in self.graph.givens):
            raise Unrecoverable("number_unbound")  # nobody multiplies by 1: it was 1000 grams a step before
        self._operands.update(operand.value for operand in operands if isinstance(operand, Number))
        before = self._calculated_before(line, place, shown.value) if len(operands) == 1 else None
        if before is not None:
            # <<28=28>> after "0.1 * 280 =": it is what was calculated, whatever else is 28.
            term = before
        else:
            spelled = parse([operand if isinstance(operand, str) else self._meant(operand) for operand in operands])
            if spelled is None:
                raise Unrecoverable("annotation_unreadable")
            term = spelled
        if self._as_stands(term) != shown.value:
            raise Unrecoverable("annotation_wrong")
        result = add_step(self.graph, term, shown.value)
        self._state(shown, result)
        if before is not None and isinstance(operands[0], Number):
            self._state(operands[0], result)
        after = line[place + 1] if place + 1 < len(line) else None
        if isinstance(after, Number) and _GAP.fullmatch(self._text, annotation.end, after.start):
            if after.value != shown.value or after.named or after.over:
                raise Unrecoverable("annotation_wrong")
            self._state(after, result)

    def _calculated_before(self, line: list[Token], place: int, value: Exact) -> Term | None:
        """The calculation in prose that an annotation is the right side of."""
        equals = line[place - 1] if place else None
        if not isinstance(equals, Sign) or equals.symbol != "=":
            return None
        side = left_side(line, place - 1, value)
        return None if side is None else spelled_term(side, self._meant)

    def _equation(self, line: list[Token], place: int) -> None:
        """An equals sign in prose: what follows is a result of what stands before, or equal to it."""
        right = right_side(self._text, line, place)
        value = as_stands(right)
        if not right or unsigned_before(line, place):
            return
        side = None if value is None else left_side(line, place, value)
        term = None if side is None else spelled_term(side, self._meant)
        if term is None:
            raise Unrecoverable("equation_unreadable")
        assert value is not None
        stated = right[0]
        if len(right) == 1 and isinstance(stated, Number) and stated.start not in self._read and not stated.named:
            result: Term = add_step(self.graph, term, value)
            self._state(stated, Operation("*", result, Constant(100)) if stated.percent else result)
        else:
            other = spelled_term(right, self._meant)
            assert other is not None, f"{right} was a calculation before its numbers were bound"
            self.graph.equal.append((term, other))

    def _final_answer(self, final: re.Match[str]) -> None:
        number = _literal(final[1], final.start(1))
        if self.graph.results[-1] != number.value:
            raise Unrecoverable("answer_not_last_result")
        self._state(number, Result(len(self.graph.results) - 1))

    def _hold_still(self) -> None:
        """Fix the givens that no step computes with, or that count what the answer writes out; place the others."""
        used, counts = computed_with(self.graph.steps), counted(self.graph)
        for index, given in enumerate(self.graph.givens):
            if index not in used or (given.value <= MOST_COUNTED and given.value in counts):
                self.graph.givens[index] = replace(given, fixed=True)
            elif not given.fixed:
                self.graph.places += [Place(number=mention, term=Variable(index)) for mention in given.mentions]

    def _meant(self, number: Number) -> Term:
        """The term of a number in the answer, found once."""
        if number.named:
            if number.token.lower() not in self._named:
                raise Unrecoverable("number_unbound")
            return Constant(number.value)
        if number.start not in self._read:
            self._state(number, bind(self.graph, number, self._constants))
        return self._read[number.start]

    def _state(self, number: Number, term: Term) -> None:
        self._read[number.start] = term
        self.graph.places.append(Place(number=number, term=term))

    def _as_stands(self, term: Term) -> Exact | None:
        try:
            return evaluate(term, self.graph.values(), self.graph.results)
        except ZeroDivisionError:
            return None


def _literal(token: str, start: int) -> Number:
    return Number(start=start, end=start + len(token), value=exact(token), token=token)


def _times_one(operands: Sequence[str | Number]) -> bool:
    """Whether a literal 1 is a factor that is not the numerator of a fraction."""
    return any(
        isinstance(operand, Number) and operand.value == 1 and ("*" in (before, after)) and after != "/"
        for before, operand, after in zip(("", *operands), operands, (*operands[1:], ""), strict=False)
    )


def _operand(found: re.Match[str]) -> str | Number:
    return found[0] if found[0] in "+-*/()" else _literal(found[0], found.start())
