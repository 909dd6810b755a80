"""A problem: an expression and its exact answer, and the ways of its own in which it can be put into words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dolmino_cli.sources.arithmetic.notation import Expression, canonical
from dolmino_cli.sources.arithmetic.wordings import Wording, joined, named

_MARKABLE = frozenset("0123456789.+-*/()")
_INTEGRAL = frozenset("0123456789+-*()^")
_LONG_INTEGER = re.compile(r"(?<![\d.])\d{4}")


@dataclass(frozen=True, kw_only=True)
class Forms:
    """What an operation can be called. {0}, {1} ... are a problem's `numbers`, {V} its answer.

    `phrases` stand for the expression (`the sum of {0} and {1}`); `statements` and `exchanges` (question and answer, with
    every joint) are whole texts.
    """

    name: str = ""
    phrases: tuple[str, ...] = ()
    statements: tuple[Wording, ...] = ()
    exchanges: tuple[Wording, ...] = ()

    @classmethod
    def of(cls, name: str, *phrases: str, statements: tuple[str, ...] = (), exchanges: tuple[tuple[str, str], ...] = ()) -> Forms:
        """Forms of plain patterns, named `NAME.s0` (statements) and `NAME.x0.j0` (exchanges with their joints)."""
        return cls(
            name=name,
            phrases=phrases,
            statements=named(f"{name}.s", statements),
            exchanges=tuple(
                wording
                for place, (question, answer) in enumerate(exchanges)
                for wording in joined(f"{name}.x{place}", question, answer)
            ),
        )


NO_FORMS = Forms()


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What is asked and what is true. All numbers are exact, in figures.

    `expression` is empty where the problem has words only; then `equation` says in the canonical grammar what is true.
    `steps` are expressions of the same value, each simpler than the one before.
    """

    answer: str
    expression: Expression = ()
    steps: tuple[Expression, ...] = ()
    numbers: tuple[str, ...] = ()
    forms: Forms = NO_FORMS
    equation: str = ""

    @property
    def canonical(self) -> str:
        """What is true, in the canonical grammar (docs/arithmetic.md)."""
        return self.equation or f"{canonical(self.expression)} = {self.answer.lstrip('$')}"

    @property
    def is_markable(self) -> bool:
        """Whether a calculator mark can hold it, as those of GSM8K: integers and decimals with + - * / and brackets."""
        return all(_MARKABLE.issuperset(token) for token in self.expression)

    @property
    def is_long(self) -> bool:
        """Whether an integer, or the whole part of a decimal, has four digits or more."""
        return _LONG_INTEGER.search(" ".join((*self.expression, *self.numbers, self.answer))) is not None

    @property
    def is_integral(self) -> bool:
        """Whether Python, typed in as it stands, prints the answer: integers without division or roots."""
        return all(token == "%" or _INTEGRAL.issuperset(token) for token in self.expression)

    @property
    def is_spellable(self) -> bool:
        """Whether every number of its words is an integer from 0 to 9,999."""
        return self.answer.isdecimal() and len(self.answer) < 5 and all(one.isdecimal() and len(one) < 5 for one in self.numbers)
