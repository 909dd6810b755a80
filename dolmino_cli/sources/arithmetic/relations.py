"""What is not one number from others: comparison, rounding, remainders, a missing number, units."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from dolmino_cli.sources.arithmetic.draws import Draws
from dolmino_cli.sources.arithmetic.numerals import decimal
from dolmino_cli.sources.arithmetic.problem import Forms, Problem

COMPARE = Forms.of(
    "compare",
    statements=(
        "{0} < {1}",
        "{1} > {0}",
        "{1} is greater than {0}.",
        "{0} is less than {1}.",
        "Since {0} < {1}, {1} is the larger.",
    ),
    exchanges=(
        ("Which is larger, {0} or {1}?", "{1}"),
        ("Which is larger, {1} or {0}?", "{1} is larger than {0}."),
        ("Which is smaller, {0} or {1}?", "{0}"),
        ("Which is smaller, {1} or {0}?", "{0} is smaller, because {0} < {1}."),
        ("Put < or > between {0} and {1}.", "{0} < {1}"),
        ("Put < or > between {1} and {0}.", "{1} > {0}"),
        ("Is {1} greater than {0}?", "Yes, {1} > {0}."),
        ("Is {0} greater than {1}?", "No, {0} < {1}."),
    ),
)
_ROUND_TO = {3: "thousand", 2: "hundred", 1: "ten", 0: "whole number", -1: "tenth", -2: "hundredth"}
ROUND = {
    place: Forms.of(
        f"round-{name.replace(' ', '-')}",
        f"{{0}} rounded to the nearest {name}",
        exchanges=((f"Round {{0}} to the nearest {name}.", "{V}"), (f"To the nearest {name}, how much is {{0}}?", "About {V}.")),
    )
    for place, name in _ROUND_TO.items()
}
REMAINDER = Forms.of(
    "remainder",
    statements=(
        "{0} divided by {1} is {2} remainder {3}.",
        "{0} = {1} * {2} + {3}",
        "{0} ÷ {1} = {2} R {3}",
        "{1} goes into {0} {2} times, and {3} is left over.",
    ),
    exchanges=(
        ("Divide {0} by {1} with remainder.", "{2} remainder {3}"),
        ("What is {0} divided by {1}, with remainder?", "{2} remainder {3}, because {1} * {2} + {3} = {0}."),
        ("What are quotient and remainder of {0} ÷ {1}?", "The quotient is {2} and the remainder is {3}."),
        (
            "{0} items are packed in boxes of {1}. How many boxes are full, and how many items are left?",
            "{2} boxes are full, {3} left.",
        ),
    ),
)
MODULO = Forms.of("modulo", "{0} mod {1}", "{0} modulo {1}", "the remainder of {0} divided by {1}")
MISSING = Forms.of(
    "missing",
    statements=("If {0}, then {1} = {V}.", "{0}, so {1} = {V}."),
    exchanges=(
        ("{0}", "{1} = {V}"),
        ("{0}. Give the value of {1}.", "{V}"),
        ("Find the missing number ({1}): {0}", "{1} = {V}, because {2}."),
        ("Which number is missing? {0}", "{V}"),
        ("Solve for {1}: {0}", "{3}, so {1} = {V}."),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Unit:
    """`factor` of the smaller make one of the larger, as English plurals."""

    smaller: str
    larger: str
    factor: int


UNITS = (
    Unit(smaller="seconds", larger="minutes", factor=60),
    Unit(smaller="minutes", larger="hours", factor=60),
    Unit(smaller="hours", larger="days", factor=24),
    Unit(smaller="days", larger="weeks", factor=7),
    Unit(smaller="months", larger="years", factor=12),
    Unit(smaller="cents", larger="dollars", factor=100),
    Unit(smaller="centimeters", larger="meters", factor=100),
    Unit(smaller="meters", larger="kilometers", factor=1000),
    Unit(smaller="grams", larger="kilograms", factor=1000),
    Unit(smaller="milliliters", larger="liters", factor=1000),
    Unit(smaller="inches", larger="feet", factor=12),
    Unit(smaller="feet", larger="yards", factor=3),
    Unit(smaller="ounces", larger="pounds", factor=16),
    Unit(smaller="quarts", larger="gallons", factor=4),
    Unit(smaller="eggs", larger="dozen eggs", factor=12),
)
TO_SMALLER = Forms.of(
    "to-smaller",
    statements=("{0} {3} = {V} {2}", "{0} {3} is {0} * {1} = {V} {2}.", "There are {V} {2} in {0} {3}."),
    exchanges=(
        ("How many {2} are in {0} {3}?", "{V}"),
        ("Convert {0} {3} to {2}.", "{0} * {1} = {V} {2}"),
        ("{0} {3} is how many {2}?", "{V} {2}"),
    ),
)
TO_LARGER = Forms.of(
    "to-larger",
    statements=("{0} {2} = {V} {3}", "{0} {2} is {0} / {1} = {V} {3}."),
    exchanges=(
        ("How many {3} are {0} {2}?", "{V}"),
        ("Convert {0} {2} to {3}.", "{0} / {1} = {V} {3}"),
        ("{0} {2} is how many {3}?", "{V} {3}"),
    ),
)


def compare(draws: Draws) -> Problem:
    """The smaller and the larger of two different numbers: integers of like length, decimals, or fractions."""
    kind = draws.below(4)
    if kind < 2:
        digits = (draws.pick((1, 2, 2, 3, 3, 4, 5)),)
        a, b = draws.of_digits(digits), draws.of_digits(digits)
        if a == b:
            b += 1
        small, large = str(min(a, b)), str(max(a, b))
    elif kind == 2:
        whole, places = draws.below(100), (draws.between(1, 3), draws.between(1, 3))
        first, second = (whole * 1000 + draws.between(1, 10**one - 1) * 10 ** (3 - one) for one in places)
        second += 1 if first == second else 0
        small, large = decimal(min(first, second), 3), decimal(max(first, second), 3)
    else:
        small, large = _two_fractions(draws)
    return Problem(numbers=(small, large), answer=large, equation=f"{small} < {large}", forms=COMPARE)


def _two_fractions(draws: Draws) -> tuple[str, str]:
    """Two proper fractions, the smaller first."""
    found = []
    for _ in range(2):
        denominator = draws.pick((2, 3, 4, 5, 6, 7, 8, 9, 10, 12))
        numerator = draws.between(1, denominator - 1)
        common = gcd(numerator, denominator)
        found.append((numerator // common, denominator // common))
    (a, b), (c, d) = found
    if (a, b) == (c, d):
        return f"{a}/{b + 1}", f"{a}/{b}"
    if a * d > c * b:
        a, b, c, d = c, d, a, b
    return f"{a}/{b}", f"{c}/{d}"


def rounding(draws: Draws) -> Problem:
    """To a ten, hundred, thousand, whole number, tenth or hundredth; never a number half way between two."""
    place = draws.pick((3, 2, 2, 1, 1, 0, 0, -1, -2))
    # In units of the last place drawn: `size` of them make one of the place that is rounded to.
    places = 0 if place > 0 else 1 - place
    size = 10 ** (place + places)
    value = draws.between(1, 99 if place > 1 else 999) * size + draws.between(1, size - 1)
    if value % size * 2 == size:
        value += 1
    rounded = (value + size // 2) // size * size
    shown, answer = decimal(value, places), decimal(rounded, places)
    return Problem(numbers=(shown,), answer=answer, equation=f"round({shown}, {-place}) = {answer}", forms=ROUND[place])


def remainder(draws: Draws) -> Problem:
    """Quotient and remainder of two integers; the remainder is not 0."""
    divisor, quotient = draws.of_digits((1, 1, 1, 2, 2)), draws.of_digits((1, 1, 2, 2, 3))
    left = draws.between(1, divisor - 1)
    a = divisor * quotient + left
    return Problem(
        numbers=(str(a), str(divisor), str(quotient), str(left)),
        answer=str(quotient),
        equation=f"{a} = {divisor} * {quotient} + {left}",
        forms=REMAINDER,
    )


def modulo(draws: Draws) -> Problem:
    """The remainder of one integer divided by another."""
    a, b = draws.of_digits((2, 2, 3, 3, 4)), draws.of_digits((1, 1, 1, 2))
    return Problem(expression=(str(a), "%", str(b)), numbers=(str(a), str(b)), answer=str(a % b), forms=MODULO)


def missing(draws: Draws) -> Problem:
    """An operand of + - * / of two integers, from the other and the result."""
    digits = (1, 1, 2, 2, 3)
    a, b = draws.of_digits(digits), draws.of_digits((1, 1, 2, 2))
    operator = draws.pick("++--*/")
    if operator in "-/":  # a is the result's other part
        a = a + b if operator == "-" else a * b
    result = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[operator]
    blank = draws.pick(("?", "x", "n", "__", "□"))
    first_missing = draws.below(2)
    sign = operator if blank == "x" or draws.below(2) else {"*": "×", "/": "÷"}.get(operator, operator)
    left, right = (blank, str(b)) if first_missing else (str(a), blank)
    inverse = _inverse(a, b, operator, result, first_missing=bool(first_missing))
    answer = a if first_missing else b
    full = f"{a} {operator} {b} = {result}"
    return Problem(
        numbers=(f"{left} {sign} {right} = {result}", blank, full, f"{inverse} = {answer}"),
        answer=str(answer),
        equation=full,
        forms=MISSING,
    )


def _inverse(a: int, b: int, operator: str, result: int, *, first_missing: bool) -> str:
    """The expression that finds the missing operand."""
    if operator in "+*":
        return f"{result} {'-' if operator == '+' else '/'} {b if first_missing else a}"
    if first_missing:
        return f"{result} {'+' if operator == '-' else '*'} {b}"
    return f"{a} {operator} {result}"


def units(draws: Draws) -> Problem:
    """An amount in a smaller or larger unit: time, money, length, weight, volume, dozens. Two or more of each."""
    unit = draws.pick(UNITS)
    larger = draws.of_digits((1, 1, 2)) if unit.factor < 1000 else draws.of_digits((1, 1, 1, 2))
    smaller = larger * unit.factor
    if draws.below(3):
        return Problem(
            numbers=(str(larger), str(unit.factor), unit.smaller, unit.larger),
            answer=str(smaller),
            equation=f"{larger} * {unit.factor} = {smaller}",
            forms=TO_SMALLER,
        )
    return Problem(
        numbers=(str(smaller), str(unit.factor), unit.smaller, unit.larger),
        answer=str(larger),
        equation=f"{smaller} / {unit.factor} = {larger}",
        forms=TO_LARGER,
    )
