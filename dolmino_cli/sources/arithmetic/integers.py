"""Addition, subtraction, multiplication and division of two integers, with the working that a person would write."""

from __future__ import annotations

from dolmino_cli.sources.arithmetic.draws import Draws
from dolmino_cli.sources.arithmetic.notation import Expression
from dolmino_cli.sources.arithmetic.problem import Forms, Problem

# How many digits an operand has; each as often as it stands here. Of the operands in the calculator marks of GSM8K's train
# split 38 % have one digit, 39 % two, 14 % three, 4 % four and 1 % more; ours are longer, for that is where models err.
SUM_DIGITS = (1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5)
FACTOR_DIGITS = (1, 1, 2, 2, 2, 2, 3, 3)

ADD = Forms.of(
    "add",
    "{0} plus {1}",
    "the sum of {0} and {1}",
    "{1} added to {0}",
    "the total of {0} and {1}",
    "{1} more than {0}",
)
SUBTRACT = Forms.of(
    "subtract",
    "{0} minus {1}",
    "the difference between {0} and {1}",
    "{1} subtracted from {0}",
    "{1} less than {0}",
    "{0} take away {1}",
)
MULTIPLY = Forms.of(
    "multiply",
    "{0} times {1}",
    "the product of {0} and {1}",
    "{0} multiplied by {1}",
    "{0} groups of {1}",
    exchanges=(
        ("There are {0} boxes with {1} items each. How many items are there?", "{0} * {1} = {V}"),
        ("One ticket costs {1} dollars. How much do {0} tickets cost?", "{0} * {1} = {V} dollars"),
    ),
)
DIVIDE = Forms.of(
    "divide",
    "{0} divided by {1}",
    "the quotient of {0} and {1}",
    exchanges=(
        ("{0} items are shared equally among {1} people. How many does each get?", "{0} / {1} = {V}"),
        ("How many times does {1} go into {0}?", "{V}"),
        ("How many groups of {1} can be made from {0}?", "{0} / {1} = {V}"),
    ),
)
SUM_OF_MANY = Forms.of(
    "sum-of-many",
    "the sum of {0}",
    "the total of {0}",
    exchanges=(("Add {0}.", "{V}"), ("Add up {0}.", "The sum is {V}.")),
)
PRODUCT_OF_THREE = Forms.of("product-of-three", "{0} times {1} times {2}", "the product of {0}, {1} and {2}")


def add(draws: Draws) -> Problem:
    """a + b."""
    a, b = draws.of_digits(SUM_DIGITS), draws.of_digits(SUM_DIGITS)
    numbers = (str(a), str(b))
    return Problem(
        expression=(numbers[0], "+", numbers[1]), steps=_by_place(a, b, "+"), numbers=numbers, answer=str(a + b), forms=ADD
    )


def subtract(draws: Draws) -> Problem:
    """a - b, not negative: b is the smaller of the two."""
    a, b = draws.of_digits(SUM_DIGITS), draws.of_digits(SUM_DIGITS)
    a, b = max(a, b), min(a, b)
    numbers = (str(a), str(b))
    return Problem(
        expression=(numbers[0], "-", numbers[1]), steps=_by_place(a, b, "-"), numbers=numbers, answer=str(a - b), forms=SUBTRACT
    )


def multiply(draws: Draws) -> Problem:
    """a * b."""
    a, b = draws.of_digits(FACTOR_DIGITS), draws.of_digits(FACTOR_DIGITS)
    numbers = (str(a), str(b))
    return Problem(
        expression=(numbers[0], "*", numbers[1]),
        steps=_partial_products(a, b),
        numbers=numbers,
        answer=str(a * b),
        forms=MULTIPLY,
    )


def divide(draws: Draws) -> Problem:
    """a / b without remainder: divisor and quotient are drawn."""
    b, quotient = draws.of_digits((1, 1, 1, 2, 2, 3)), draws.of_digits((1, 1, 2, 2, 2, 3))
    numbers = (str(b * quotient), str(b))
    return Problem(expression=(numbers[0], "/", numbers[1]), numbers=numbers, answer=str(quotient), forms=DIVIDE)


def negative(draws: Draws) -> Problem:
    """+ - * / of two integers of which one or both are negative, or a difference below zero."""
    a, b = draws.of_digits((1, 1, 2, 2, 3)), draws.of_digits((1, 1, 2, 2))
    shape = draws.below(6)
    if shape < 2:
        small, large = min(a, b), max(a, b) + 1
        return Problem(expression=(str(small), "-", str(large)), answer=str(small - large))
    if shape == 2:
        return Problem(expression=(f"-{a}", "+", str(b)), answer=str(b - a))
    if shape == 3:
        return Problem(expression=(f"-{a}", "-", str(b)), steps=((f"-{a}", "+", "(", f"-{b}", ")"),), answer=str(-a - b))
    if shape == 4:
        both = draws.below(2)
        left = f"-{a}" if both else str(a)
        return Problem(expression=(left, "*", "(", f"-{b}", ")"), answer=str(a * b if both else -a * b))
    return Problem(expression=(f"-{a * b}", "/", str(b)), answer=str(-a))


def sum_of_many(draws: Draws) -> Problem:
    """Three to six integers added."""
    terms = [draws.of_digits((1, 2, 2, 2, 3, 3, 4)) for _ in range(draws.pick((3, 3, 3, 4, 4, 5, 6)))]
    figures = [str(term) for term in terms]
    expression = tuple(token for one in figures for token in ("+", one))[1:]
    first = (str(terms[0] + terms[1]), *expression[3:])
    listed = f"{', '.join(figures[:-1])} and {figures[-1]}"
    return Problem(expression=expression, steps=(first,), numbers=(listed,), answer=str(sum(terms)), forms=SUM_OF_MANY)


def product_of_three(draws: Draws) -> Problem:
    """a * b * c."""
    a, b, c = (draws.of_digits((1, 1, 1, 2, 2)) for _ in range(3))
    return Problem(
        expression=(str(a), "*", str(b), "*", str(c)),
        steps=((str(a * b), "*", str(c)),),
        numbers=(str(a), str(b), str(c)),
        answer=str(a * b * c),
        forms=PRODUCT_OF_THREE,
    )


def _by_place(a: int, b: int, operator: str) -> tuple[Expression, ...]:
    """The second number's tens (hundreds ...) first, then what is left of it; nothing where there is nothing to part."""
    size = 10 ** (len(str(b)) - 1)
    large, small = b - b % size, b % size
    if not small or b < 10:
        return ()
    between = a + large if operator == "+" else a - large
    return ((str(a), operator, str(large), operator, str(small)), (str(between), operator, str(small)))


def _partial_products(a: int, b: int) -> tuple[Expression, ...]:
    """a times each digit of b at its place: 77 * 14 = 77 * 10 + 77 * 4 = 770 + 308."""
    figures = str(b)
    parts = [int(figure) * 10 ** (len(figures) - 1 - place) for place, figure in enumerate(figures) if figure != "0"]
    if len(parts) < 2:
        return ()
    products = tuple(token for part in parts for token in ("+", str(a), "*", str(part)))[1:]
    return products, tuple(token for part in parts for token in ("+", str(a * part)))[1:]
