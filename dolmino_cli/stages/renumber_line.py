"""A line of an answer as tokens: numbers, signs and <<calculator=annotations>>; and the calculations that they spell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dolmino_cli.stages.renumber_arithmetic import Constant, Exact, Operation, Term, evaluate, parse
from dolmino_cli.stages.renumber_numbers import Number, numbers

ANNOTATION = re.compile(r"<<([^<>\n]*)>>")
# It looks ahead for the first letters of all signs: three times as fast as trying each sign at every letter.
_SIGN = re.compile(
    r"(?=[-+−–*×·/÷()=xXmptod])(?:"
    r"(?P<plus>\+|\bplus\b)|(?P<minus>[-−–]|\bminus\b)|(?P<times>[*×·]|\b[xX]\b|(?<=\d)[xX](?=[\s\d$])|\btimes\b|\bof\b)"
    r"|(?P<over>[/÷]|\bdivided by\b)|(?P<open>\()|(?P<close>\))|(?P<equals>=))"
)
_SYMBOLS = {"plus": "+", "minus": "-", "times": "*", "over": "/", "open": "(", "close": ")", "equals": "="}
_BETWEEN = re.compile(r"[\s$£€%]*")
_HUNDRED = Constant(100)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sign:
    """A sign of arithmetic in prose, or an equals sign."""

    start: int
    end: int
    symbol: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Annotation:
    """A calculator annotation, at its brackets."""

    start: int
    end: int


Token = Number | Sign | Annotation


def tokens(text: str, start: int, end: int) -> list[Token]:
    """The tokens of `text[start:end]`, in order; words are left out."""
    found: list[Token] = []
    position = start
    for annotation in ANNOTATION.finditer(text, start, end):
        found += _prose(text, position, annotation.start())
        found.append(Annotation(start=annotation.start(), end=annotation.end()))
        position = annotation.end()
    return [*found, *_prose(text, position, end)]


def _prose(text: str, start: int, end: int) -> Iterator[Number | Sign]:
    position = start
    for number in (*numbers(text, start, end), None):
        stop = end if number is None else number.start
        for found in _SIGN.finditer(text, position, max(position, stop)):
            assert found.lastgroup is not None
            yield Sign(start=found.start(), end=found.end(), symbol=_SYMBOLS[found.lastgroup])
        if number is not None:
            yield number
            position = number.end


def spelled_term(side: Sequence[Token], of: Callable[[Number], Term]) -> Term | None:
    """The term that `side` spells, `of` giving that of each number (percents are shares); None where it spells none."""
    parts: list[str | Term] = []
    for token in side:
        if isinstance(token, Sign):
            parts.append(token.symbol)
        elif isinstance(token, Number):
            parts.append(Operation("/", of(token), _HUNDRED) if token.percent else of(token))
    return parse(parts)


def as_stands(side: Sequence[Token]) -> Exact | None:
    """What `side` comes to with the numbers that stand there; None where it spells no calculation."""
    term = spelled_term(side, lambda number: Constant(number.value))
    try:
        return None if term is None else evaluate(term, (), ())
    except ZeroDivisionError:
        return None


def left_side(line: Sequence[Token], equals: int, value: Exact) -> Sequence[Token] | None:
    """The longest calculation that ends at the equals sign `line[equals]` and comes to `value`; None where there is none."""
    before = _before(line, equals)
    for first in range(len(before)):
        side = before[first:]
        if any(isinstance(token, Sign) for token in side) and as_stands(side) == value:
            return side
    return None


def unsigned_before(line: Sequence[Token], equals: int) -> bool:
    """Whether no calculation stands before the equals sign `line[equals]`, but at most a name or an amount."""
    before = _before(line, equals)
    return not (any(isinstance(token, Number) for token in before) and any(isinstance(token, Sign) for token in before))


def right_side(text: str, line: Sequence[Token], equals: int) -> Sequence[Token]:
    """The calculation straight after the equals sign `line[equals]`, up to the first word; a single number mostly."""
    side: list[Token] = []
    position = line[equals].end
    for token in line[equals + 1 :]:
        joined = _BETWEEN.fullmatch(text, position, token.start) is not None
        if not joined or isinstance(token, Annotation) or (isinstance(token, Sign) and token.symbol == "="):
            break
        if isinstance(token, Number) and side and isinstance(side[-1], Number):
            break  # "= 5 $10 bills"
        side.append(token)
        position = token.end
    while side and isinstance(side[-1], Sign) and side[-1].symbol != ")":
        side.pop()
    return side


def _before(line: Sequence[Token], equals: int) -> list[Token]:
    """Numbers and signs between the equals sign before and `line[equals]`."""
    side: list[Token] = []
    for token in reversed(line[:equals]):
        if isinstance(token, Sign) and token.symbol == "=":
            break
        if not isinstance(token, Annotation):
            side.append(token)
    side.reverse()
    return side
