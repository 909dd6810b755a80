"""Decimals and money: exact, in integers of the last place; nothing is ever a float."""

from __future__ import annotations

from dolmino_cli.sources.arithmetic.draws import Draws
from dolmino_cli.sources.arithmetic.numerals import decimal, dollars
from dolmino_cli.sources.arithmetic.problem import Forms, Problem

_WHOLE_DIGITS = (1, 1, 2, 2, 3)
_PLACES = (1, 1, 1, 2, 2, 3)

PLUS = Forms.of("plus", "{0} plus {1}", "the sum of {0} and {1}")
MINUS = Forms.of("minus", "{0} minus {1}", "the difference between {0} and {1}")
TIMES = Forms.of("times", "{0} times {1}", "the product of {0} and {1}", "{0} multiplied by {1}")
DIVIDED = Forms.of("divided", "{0} divided by {1}")
ADD_PRICES = Forms.of(
    "add-prices",
    "{0} plus {1}",
    exchanges=(
        ("One item costs {0} and another {1}. What do both cost together?", "{0} + {1} = {V}"),
        ("Sam has {0} and gets {1} more. How much money is that?", "{V}"),
    ),
)
CHANGE = Forms.of(
    "change",
    "{0} minus {1}",
    exchanges=(
        ("You pay {0} for something that costs {1}. How much change do you get?", "{0} - {1} = {V}"),
        ("Ana has {0} and spends {1}. How much is left?", "{V} is left: {0} - {1} = {V}."),
    ),
)
PRICE_TIMES = Forms.of(
    "price-times",
    "{0} times {1}",
    exchanges=(
        ("One costs {0}. How much do {1} cost?", "{1} * {0} = {V}"),
        ("Somebody earns {0} per hour. How much is that for {1} hours?", "{0} * {1} = {V}"),
    ),
)
PRICE_SHARED = Forms.of(
    "price-shared",
    "{0} divided by {1}",
    exchanges=(
        ("{1} people share {0} equally. How much does each get?", "{0} / {1} = {V}"),
        ("{1} of them cost {0}. How much is one?", "{V}"),
    ),
)


def _drawn(draws: Draws, places: int) -> int:
    """A decimal in units of its last place, which is no zero."""
    whole = draws.below(10) if draws.below(4) == 0 else draws.of_digits(_WHOLE_DIGITS)
    tail = draws.below(10 ** (places - 1)) * 10 + draws.between(1, 9)
    return whole * int(10**places) + tail


def decimal_add(draws: Draws) -> Problem:
    """a + b, or the larger less the smaller, of one to three decimal places each."""
    places = draws.pick(_PLACES), draws.pick(_PLACES)
    most = max(places)
    a, b = (_drawn(draws, one) * 10 ** (most - one) for one in places)
    if draws.below(2):
        numbers = (decimal(a, most), decimal(b, most))
        return Problem(expression=(numbers[0], "+", numbers[1]), numbers=numbers, answer=decimal(a + b, most), forms=PLUS)
    a, b = max(a, b), min(a, b)
    numbers = (decimal(a, most), decimal(b, most))
    return Problem(expression=(numbers[0], "-", numbers[1]), numbers=numbers, answer=decimal(a - b, most), forms=MINUS)


def decimal_multiply(draws: Draws) -> Problem:
    """A decimal of one or two places times an integer or a decimal of one or two places."""
    places = draws.pick((1, 1, 2)), draws.pick((0, 0, 1, 1, 2))
    a = _drawn(draws, places[0])
    b = _drawn(draws, places[1]) if places[1] else draws.of_digits((1, 1, 2, 2, 3))
    numbers = (decimal(a, places[0]), decimal(b, places[1]))
    return Problem(expression=(numbers[0], "*", numbers[1]), numbers=numbers, answer=decimal(a * b, sum(places)), forms=TIMES)


def decimal_divide(draws: Draws) -> Problem:
    """A decimal by an integer, or an integer by one made of twos and fives: quotients that end after four places at most."""
    if draws.below(2):
        places = draws.pick((1, 1, 2))
        quotient, b = _drawn(draws, places), draws.of_digits((1, 1, 1, 2))
        numbers = (decimal(quotient * b, places), str(b))
        answer = decimal(quotient, places)
    else:
        b = draws.pick((2, 4, 5, 8, 10, 16, 20, 25, 40, 50, 100, 125, 200, 1000))
        a = draws.of_digits((1, 2, 2, 3, 3))
        numbers = (str(a), str(b))
        answer = decimal(a * 10_000 // b, 4)
    return Problem(expression=(numbers[0], "/", numbers[1]), numbers=numbers, answer=answer, forms=DIVIDED)


def money(draws: Draws) -> Problem:
    """Prices added, change given, a price times a count, an amount shared: in dollars, with cents where there are any."""
    kind, whole = draws.below(4), draws.below(3) == 0
    a, b = (_price_cents(draws, whole=whole) for _ in range(2))
    if kind == 0:
        return _of_prices(a, "+", dollars(b, whole=whole), a + b, whole, ADD_PRICES)
    if kind == 1:
        return _of_prices(max(a, b), "-", dollars(min(a, b), whole=whole), max(a, b) - min(a, b), whole, CHANGE)
    count = draws.of_digits((1, 1, 1, 2))
    if kind == 2:
        return _of_prices(a, "*", str(count), a * count, whole, PRICE_TIMES)
    return _of_prices(a * count, "/", str(count), a, whole, PRICE_SHARED)


def _price_cents(draws: Draws, *, whole: bool) -> int:
    cents = draws.of_digits((1, 1, 2, 2, 3)) * 100
    return cents if whole else cents + draws.pick((25, 50, 75, 99, 95, 5, 10, 20, 30, 40, 49, draws.between(1, 99)))


def _of_prices(a: int, operator: str, right: str, result_cents: int, whole: bool, forms: Forms) -> Problem:
    numbers = (dollars(a, whole=whole), right)
    return Problem(
        expression=(numbers[0], operator, right), numbers=numbers, answer=dollars(result_cents, whole=whole), forms=forms
    )
