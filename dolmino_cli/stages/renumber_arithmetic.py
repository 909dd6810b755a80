"""Exact arithmetic of word problems: terms over numbers that can change, and the parser that makes them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

Exact = int | Fraction  # an int where it can be: it computes five times as fast


def exact(numeral: str | Exact) -> Exact:
    """The value of a number, or of its digits with thousands separators and a decimal point where they have them."""
    if isinstance(numeral, str):
        digits = numeral.replace(",", "")
        numeral = Fraction(digits) if "." in digits else int(digits)
    return numeral.numerator if numeral.denominator == 1 else numeral


def divide(dividend: Exact, divisor: Exact) -> Exact:
    """The quotient, an int where it is whole. Raises ZeroDivisionError."""
    return dividend // divisor if divisor and not dividend % divisor else Fraction(dividend, divisor)


OPERATIONS: dict[str, Callable[[Exact, Exact], Exact]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": divide,
}


@dataclass(frozen=True, slots=True)
class Constant:
    """A number that stays what it is: 12 months, the 2 of "twice"."""

    value: Exact


@dataclass(frozen=True, slots=True)
class Variable:
    """A number that the question gives."""

    index: int


@dataclass(frozen=True, slots=True)
class Result:
    """What an earlier step of the answer came to."""

    index: int


@dataclass(frozen=True, slots=True)
class Operation:
    """One of + - * / of two terms."""

    sign: str
    left: Term
    right: Term


Term = Constant | Variable | Result | Operation


def evaluate(term: Term, variables: Sequence[Exact], results: Sequence[Exact]) -> Exact:
    """The value of `term`, exactly. Raises ZeroDivisionError."""
    if isinstance(term, Operation):
        left = evaluate(term.left, variables, results)
        return OPERATIONS[term.sign](left, evaluate(term.right, variables, results))
    if isinstance(term, Variable):
        return variables[term.index]
    if isinstance(term, Result):
        return results[term.index]
    return term.value


def leaves(term: Term) -> Iterator[Constant | Variable | Result]:
    """The numbers that `term` is made of, from left to right."""
    if isinstance(term, Operation):
        yield from leaves(term.left)
        yield from leaves(term.right)
    else:
        yield term


def parse(tokens: Sequence[str | Term]) -> Term | None:
    """The term that `tokens` spell: terms, + - * / and parentheses, with the usual precedence. None where they spell none.

    A number straight before a parenthesis is multiplied with it, as in 2(3+4); there is no unary minus.
    """
    parser = _Parser(tokens)
    term = parser.sum()
    return term if parser.position == len(tokens) else None


class _Parser:
    """Recursive descent; every method returns None, and stops, at what it cannot read."""

    def __init__(self, tokens: Sequence[str | Term]) -> None:
        self._tokens = tokens
        self.position = 0

    def sum(self) -> Term | None:
        return self._chain("+-", self._product)

    def _product(self) -> Term | None:
        return self._chain("*/", self._operand)

    def _chain(self, signs: str, operand: Callable[[], Term | None]) -> Term | None:
        term = operand()
        while term is not None and (sign := self._next()) is not None:
            if isinstance(sign, str) and sign in signs:
                self.position += 1
            elif sign == "(" and "*" in signs:
                sign = "*"
            else:
                break
            right = operand()
            term = None if right is None else Operation(str(sign), term, right)
        return term

    def _operand(self) -> Term | None:
        token = self._next()
        if token is None or (isinstance(token, str) and token != "("):
            return None
        self.position += 1
        if not isinstance(token, str):
            return token
        term = self.sum()
        if self._next() != ")":
            return None
        self.position += 1
        return term

    def _next(self) -> str | Term | None:
        return self._tokens[self.position] if self.position < len(self._tokens) else None
