"""Fractions, parts and multiples of a number, percentages: exact, in lowest terms, in integers throughout."""

from __future__ import annotations

from math import gcd

from dolmino_cli.sources.arithmetic.draws import Draws
from dolmino_cli.sources.arithmetic.notation import Expression
from dolmino_cli.sources.arithmetic.numerals import decimal
from dolmino_cli.sources.arithmetic.problem import Forms, Problem

_DENOMINATORS = (2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9, 10, 12, 15, 20)

FRACTION_PLUS = Forms.of("fraction-plus", "{0} plus {1}", "the sum of {0} and {1}")
FRACTION_MINUS = Forms.of("fraction-minus", "{0} minus {1}", "the difference between {0} and {1}")
FRACTION_TIMES = Forms.of("fraction-times", "{0} times {1}", "the product of {0} and {1}", "{0} of {1}")
FRACTION_DIVIDED = Forms.of("fraction-divided", "{0} divided by {1}")
SIMPLIFY = Forms.of(
    "simplify",
    "{0} in lowest terms",
    statements=("{0} = {V}", "In lowest terms, {0} is {V}.", "{0} simplifies to {V}."),
    exchanges=(
        ("Simplify {0}.", "{0} = {V}"),
        ("Write {0} in lowest terms.", "{V}"),
        ("Reduce the fraction {0}.", "Dividing both by {1} gives {V}."),
    ),
)
AS_DECIMAL = Forms.of(
    "as-decimal",
    "{0} as a decimal",
    statements=("{0} = {V}", "As a decimal, {0} is {V}.", "{V} = {0}"),
    exchanges=(("Write {0} as a decimal.", "{V}"), ("Convert {0} to a decimal.", "{0} = {V}")),
)
_PART_NAMES = {
    (1, 2): "half of {1}",
    (1, 3): "a third of {1}",
    (2, 3): "two thirds of {1}",
    (1, 4): "a quarter of {1}",
    (3, 4): "three quarters of {1}",
    (1, 5): "a fifth of {1}",
    (1, 10): "a tenth of {1}",
}
PARTS = {part: Forms.of(f"part-{part[0]}-{part[1]}", phrase, "{0} of {1}") for part, phrase in _PART_NAMES.items()}
_PARTS = (*_PART_NAMES, *_PART_NAMES, (2, 5), (3, 5), (4, 5), (5, 6), (3, 8), (5, 8), (7, 10), (1, 6), (1, 8), (1, 12))
OTHER_PART = Forms.of("other-part", "{0} of {1}")
MULTIPLES = {
    2: Forms.of("times-2", "twice {0}", "double {0}", "two times {0}"),
    3: Forms.of("times-3", "three times {0}", "triple {0}", "{0} tripled"),
    4: Forms.of("times-4", "four times {0}", "{0} times four"),
    5: Forms.of("times-5", "five times {0}", "{0} times five"),
    10: Forms.of("times-10", "ten times {0}", "{0} times ten"),
    12: Forms.of("times-12", "{0} dozen", "a dozen times {0}"),
}
PERCENT = Forms.of("percent", "{0}% of {1}", "{0} percent of {1}")
WHICH_PERCENT = Forms.of(
    "which-percent",
    statements=("{0} is {V}% of {1}.", "{0} out of {1} is {V}%.", "{0} / {1} = {V}%"),
    exchanges=(
        ("What percent of {1} is {0}?", "{V}%"),
        ("{0} is what percent of {1}?", "{0} / {1} = {V}%"),
        ("Express {0} out of {1} as a percentage.", "{0} / {1} * 100 = {V}, so it is {V}%."),
    ),
)
RISE = Forms.of(
    "rise",
    statements=("From {0} to {1} is an increase of {V}%.", "{0} increased by {V}% is {1}."),
    exchanges=(
        ("By what percent does {0} grow to become {1}?", "{V}%"),
        ("What is the percent change from {0} to {1}?", "({1} - {0}) / {0} * 100 = {V}, an increase of {V}%."),
        ("What is {0} increased by {V}%?", "{1}"),
    ),
)
FALL = Forms.of(
    "fall",
    statements=("From {0} to {1} is a decrease of {V}%.", "{0} reduced by {V}% is {1}."),
    exchanges=(
        ("By what percent does {0} shrink to become {1}?", "{V}%"),
        ("What is the percent change from {0} to {1}?", "({0} - {1}) / {0} * 100 = {V}, a decrease of {V}%."),
        ("What is {0} reduced by {V}%?", "{1}"),
        ("A price of ${0} is lowered by {V}%. What is it now?", "${1}"),
    ),
)


def _fraction(numerator: int, denominator: int) -> str:
    """In lowest terms; an integer where it is one."""
    common = gcd(numerator, denominator)
    numerator, denominator = numerator // common, denominator // common
    return str(numerator) if denominator == 1 else f"{numerator}/{denominator}"


def _proper(draws: Draws) -> tuple[int, int]:
    """Numerator and denominator in lowest terms, below one most of the time."""
    denominator = draws.pick(_DENOMINATORS)
    numerator = draws.between(1, denominator - 1 if draws.below(5) else 2 * denominator + 1)
    common = gcd(numerator, denominator)
    if denominator == common:
        return 1, denominator
    return numerator // common, denominator // common


def fractions(draws: Draws) -> Problem:
    """+ - * / of two fractions, over their common denominator where they are added; not negative."""
    (a, b), (c, d) = _proper(draws), _proper(draws)
    kind = draws.below(4)
    if kind == 1 and a * d < c * b:
        a, b, c, d = c, d, a, b
    left, right = f"{a}/{b}", f"{c}/{d}"
    if kind == 2:
        return _of_fractions((left, "*", right), (), _fraction(a * c, b * d), FRACTION_TIMES, (left, right))
    if kind == 3:
        return _of_fractions(
            (f"({left})", "/", f"({right})"), ((left, "*", f"{d}/{c}"),), _fraction(a * d, b * c), FRACTION_DIVIDED, (left, right)
        )
    common = b * d // gcd(b, d)
    a, c = a * (common // b), c * (common // d)
    operator, total, forms = ("+", a + c, FRACTION_PLUS) if kind == 0 else ("-", a - c, FRACTION_MINUS)
    step = (f"{a}/{common}", operator, f"{c}/{common}")
    steps = () if step == (left, operator, right) else (step,)
    return _of_fractions((left, operator, right), steps, _fraction(total, common), forms, (left, right))


def _of_fractions(
    expression: Expression, steps: tuple[Expression, ...], answer: str, forms: Forms, numbers: tuple[str, ...]
) -> Problem:
    return Problem(expression=expression, steps=steps, numbers=numbers, answer=answer, forms=forms)


def simplify(draws: Draws) -> Problem:
    """A fraction in lowest terms, or as a decimal where that ends."""
    if draws.below(3) == 0:
        b = draws.pick((2, 4, 5, 8, 10, 16, 20, 25, 40, 50, 100, 125))
        a = draws.between(1, b - 1)
        shown, answer = f"{a}/{b}", decimal(a * 10_000 // b, 4)
        return Problem(numbers=(shown,), answer=answer, equation=f"({shown}) = {answer}", forms=AS_DECIMAL)
    a, b = _proper(draws)
    factor = draws.between(2, 15)
    shown = f"{a * factor}/{b * factor}"
    return Problem(
        numbers=(shown, str(factor)), answer=_fraction(a, b), equation=f"({shown}) = {_fraction(a, b)}", forms=SIMPLIFY
    )


def part_of(draws: Draws) -> Problem:
    """A fraction of an integer that is an integer: half, a third, three quarters ..."""
    a, b = draws.pick(_PARTS)
    unit = draws.of_digits((1, 1, 2, 2, 3))
    whole, shown = str(b * unit), f"{a}/{b}"
    if a == 1:
        expression: Expression = (whole, "/", str(b))
        steps: tuple[Expression, ...] = ()
    else:
        expression, steps = (shown, "*", whole), ((whole, "/", str(b), "*", str(a)), (str(unit), "*", str(a)))
    return Problem(
        expression=expression, steps=steps, numbers=(shown, whole), answer=str(a * unit), forms=PARTS.get((a, b), OTHER_PART)
    )


def multiple_of(draws: Draws) -> Problem:
    """Twice, three times, a dozen times a number."""
    factor = draws.pick((2, 2, 2, 3, 3, 4, 5, 10, 12, 12))
    a = draws.of_digits((1, 2, 2, 3))
    return Problem(expression=(str(a), "*", str(factor)), numbers=(str(a),), answer=str(a * factor), forms=MULTIPLES[factor])


def percent_of(draws: Draws) -> Problem:
    """p % of a number, with two decimal places at most."""
    percent = draws.pick((5, 10, 15, 20, 25, 30, 40, 50, 60, 75, 80, 90, 1, 2, draws.between(1, 99), draws.between(101, 300)))
    whole = draws.of_digits((1, 2, 2, 3, 3, 4))
    if draws.below(4):
        whole = whole * 100 // gcd(100, percent) if whole < 100 else whole * 10
    return Problem(
        expression=(f"{percent}%", "*", str(whole)),
        steps=((str(percent), "*", str(whole), "/", "100"), (str(percent * whole), "/", "100")),
        numbers=(str(percent), str(whole)),
        answer=decimal(percent * whole, 2),
        forms=PERCENT,
    )


def which_percent(draws: Draws) -> Problem:
    """What percent one integer is of another: an integer."""
    percent = draws.pick((10, 20, 25, 30, 40, 50, 60, 75, 80, draws.between(1, 99), draws.between(1, 99)))
    base = 100 // gcd(100, percent) * draws.of_digits((1, 1, 2))
    part = percent * base // 100
    return Problem(
        numbers=(str(part), str(base)),
        answer=str(percent),
        equation=f"{part} / {base} * 100 = {percent}",
        forms=WHICH_PERCENT,
    )


def percent_change(draws: Draws) -> Problem:
    """From one integer to another, up or down: an integer of percent."""
    percent = draws.pick((5, 10, 15, 20, 25, 30, 40, 50, 60, 75, draws.between(1, 99)))
    base = 100 // gcd(100, percent) * draws.of_digits((1, 1, 2))
    change = percent * base // 100
    rises = draws.below(2)
    after = base + change if rises else base - change
    difference = f"({after} - {base})" if rises else f"({base} - {after})"
    return Problem(
        numbers=(str(base), str(after)),
        answer=str(percent),
        equation=f"{difference} / {base} * 100 = {percent}",
        forms=RISE if rises else FALL,
    )
