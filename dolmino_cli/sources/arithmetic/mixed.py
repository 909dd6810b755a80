"""Several operations in one expression, with precedence and brackets; powers and roots."""

from __future__ import annotations

from collections.abc import Callable

from dolmino_cli.sources.arithmetic.draws import Draws
from dolmino_cli.sources.arithmetic.notation import Expression
from dolmino_cli.sources.arithmetic.problem import Forms, Problem

_DIGITS = (1, 1, 1, 2, 2, 2, 3)
_FACTOR = (1, 1, 1, 2)


def _solved(expression: Expression, step: Expression, answer: int) -> Problem:
    return Problem(expression=expression, steps=(step,), answer=str(answer))


def _sum_and_product(draws: Draws) -> Problem:
    a, b, c = draws.of_digits(_DIGITS), draws.of_digits(_FACTOR), draws.of_digits(_FACTOR)
    if draws.below(2):
        return _solved((str(a), "+", str(b), "*", str(c)), (str(a), "+", str(b * c)), a + b * c)
    return _solved((str(b), "*", str(c), "+", str(a)), (str(b * c), "+", str(a)), b * c + a)


def _product_less(draws: Draws) -> Problem:
    b, c = draws.of_digits(_FACTOR), draws.of_digits(_FACTOR)
    a = draws.between(1, b * c)
    return _solved((str(b), "*", str(c), "-", str(a)), (str(b * c), "-", str(a)), b * c - a)


def _less_product(draws: Draws) -> Problem:
    b, c = draws.of_digits(_FACTOR), draws.of_digits(_FACTOR)
    a = b * c + draws.of_digits(_DIGITS)
    return _solved((str(a), "-", str(b), "*", str(c)), (str(a), "-", str(b * c)), a - b * c)


def _bracketed_sum(draws: Draws) -> Problem:
    a, b, c = draws.of_digits(_DIGITS), draws.of_digits(_DIGITS), draws.of_digits(_FACTOR)
    if draws.below(2):
        return _solved(("(", str(a), "+", str(b), ")", "*", str(c)), (str(a + b), "*", str(c)), (a + b) * c)
    return _solved((str(c), "*", "(", str(a), "+", str(b), ")"), (str(c), "*", str(a + b)), (a + b) * c)


def _bracketed_difference(draws: Draws) -> Problem:
    b, difference, c = draws.of_digits(_DIGITS), draws.of_digits(_FACTOR), draws.of_digits(_FACTOR)
    a = b + difference
    if draws.below(2):
        return _solved(("(", str(a), "-", str(b), ")", "*", str(c)), (str(difference), "*", str(c)), difference * c)
    return _solved((str(c), "*", "(", str(a), "-", str(b), ")"), (str(c), "*", str(difference)), difference * c)


def _bracketed_sum_shared(draws: Draws) -> Problem:
    b, quotient = draws.of_digits(_FACTOR), draws.of_digits(_FACTOR)
    total = b * quotient
    a = draws.between(1, total - 1)
    return _solved(("(", str(a), "+", str(total - a), ")", "/", str(b)), (str(total), "/", str(b)), quotient)


def _quotient_more(draws: Draws) -> Problem:
    b, quotient, c = draws.of_digits(_FACTOR), draws.of_digits(_FACTOR), draws.of_digits(_DIGITS)
    dividend = str(b * quotient)
    if draws.below(2):
        return _solved((str(c), "+", dividend, "/", str(b)), (str(c), "+", str(quotient)), c + quotient)
    return _solved((dividend, "/", str(b), "+", str(c)), (str(quotient), "+", str(c)), quotient + c)


def _quotient_times(draws: Draws) -> Problem:
    b, quotient, c = draws.of_digits(_FACTOR), draws.of_digits(_FACTOR), draws.of_digits(_FACTOR)
    return _solved((str(b * quotient), "/", str(b), "*", str(c)), (str(quotient), "*", str(c)), quotient * c)


def _two_products(draws: Draws) -> Problem:
    a, b, c, d = (draws.of_digits(_FACTOR) for _ in range(4))
    if draws.below(2) or a * b < c * d:
        return _solved((str(a), "*", str(b), "+", str(c), "*", str(d)), (str(a * b), "+", str(c * d)), a * b + c * d)
    return _solved((str(a), "*", str(b), "-", str(c), "*", str(d)), (str(a * b), "-", str(c * d)), a * b - c * d)


def _sum_and_difference(draws: Draws) -> Problem:
    a, b = draws.of_digits(_DIGITS), draws.of_digits(_DIGITS)
    c = draws.between(1, a + b)
    if draws.below(2):
        return _solved((str(a), "+", str(b), "-", str(c)), (str(a + b), "-", str(c)), a + b - c)
    a, c = max(a, c), min(a, c)
    return _solved((str(a), "-", str(c), "+", str(b)), (str(a - c), "+", str(b)), a - c + b)


def _two_differences(draws: Draws) -> Problem:
    b, c, answer = draws.of_digits(_DIGITS), draws.of_digits(_DIGITS), draws.of_digits(_DIGITS)
    a = b + c + answer
    return _solved((str(a), "-", str(b), "-", str(c)), (str(a - b), "-", str(c)), answer)


_SHAPES: tuple[Callable[[Draws], Problem], ...] = (
    _sum_and_product,
    _product_less,
    _less_product,
    _bracketed_sum,
    _bracketed_difference,
    _bracketed_sum_shared,
    _quotient_more,
    _quotient_times,
    _two_products,
    _sum_and_difference,
    _two_differences,
)


def mixed(draws: Draws) -> Problem:
    """Three or four integers under two or three of + - * /, brackets where one would need them; an integer, not negative."""
    return draws.pick(_SHAPES)(draws)


SQUARE = Forms.of("square", "{0} squared", "the square of {0}", "{0} to the power of 2")
CUBE = Forms.of("cube", "{0} cubed", "the cube of {0}", "{0} to the power of 3")
POWER = Forms.of("power", "{0} to the power of {1}", "{0} raised to the power of {1}")
SQUARE_ROOT = Forms.of(
    "square-root",
    "the square root of {0}",
    exchanges=(("Which positive number has the square {0}?", "{V}, since {V} * {V} = {0}."),),
)
CUBE_ROOT = Forms.of(
    "cube-root", "the cube root of {0}", exchanges=(("Which number has the cube {0}?", "{V}, since {V} * {V} * {V} = {0}."),)
)


def power(draws: Draws) -> Problem:
    """Squares to 999, cubes to 50, and powers of small integers up to 2^20."""
    kind = draws.below(10)
    if kind < 6:
        a, exponent, forms = draws.between(2, 99 if kind < 5 else 999), 2, SQUARE
    elif kind < 8:
        a, exponent, forms = draws.between(2, 50), 3, CUBE
    else:
        a = draws.pick((2, 2, 3, 4, 5, 6, 7, 8, 9, 10))
        exponent, forms = draws.between(4, {2: 20, 3: 10, 10: 9}.get(a, 6)), POWER
    repeated = (str(a), *("*", str(a)) * (exponent - 1))
    return Problem(
        expression=(str(a), f"^{exponent}"),
        steps=(repeated,) if exponent < 7 else (),
        numbers=(str(a), str(exponent))[: 2 if forms is POWER else 1],
        answer=str(a**exponent),
        forms=forms,
    )


def root(draws: Draws) -> Problem:
    """Square roots of the squares to 999^2, cube roots of the cubes to 50^3."""
    kind = draws.below(6)
    if kind < 5:
        a = draws.between(2, 99 if kind < 4 else 999)
        return Problem(expression=("sqrt(", str(a * a), "root)"), numbers=(str(a * a),), answer=str(a), forms=SQUARE_ROOT)
    a = draws.between(2, 50)
    return Problem(expression=("cbrt(", str(a**3), "root)"), numbers=(str(a**3),), answer=str(a), forms=CUBE_ROOT)
