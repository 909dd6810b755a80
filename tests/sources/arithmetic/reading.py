"""What a generated text states, read by a person's rules: every expression and answer in it must have one value.

`check` raises AssertionError or NotUnderstoodError unless the text is wholly understood and true.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from tests.sources.arithmetic.evaluator import NotUnderstoodError, equation_holds, plain, value_of

NUMBER = r"-?\d+(?:\.\d+)?(?:/\d+)?"
N = rf"({NUMBER})"
LABEL = re.compile(
    r"^(?:Q|A|Question|Answer|Problem|Solution|Student|Teacher|Exercise|Result|Step \d+): |^\(\d+\) |^\d+[.)] |^- |^>>> |^#### "
)
TOKEN = r"(?:sqrt|cbrt|round)\(|\d+(?:\.\d+)?|\*\*|[-+*/()%]"
EXPRESSION = re.compile(rf"(?:{TOKEN})(?:\s?(?:{TOKEN}|, (?=-?\d\))))*")
PLACES = {"ten": -1, "hundred": -2, "thousand": -3, "whole number": 0, "tenth": 1, "hundredth": 2}
PLACE = f"({'|'.join(sorted(PLACES, key=len, reverse=True))})"
PARTS = {
    "half": "1/2",
    "a third": "1/3",
    "2 thirds": "2/3",
    "a quarter": "1/4",
    "3 quarters": "3/4",
    "a fifth": "1/5",
    "a tenth": "1/10",
}
IN_THE_NEXT = {
    "seconds in minutes": 60,
    "minutes in hours": 60,
    "hours in days": 24,
    "days in weeks": 7,
    "months in years": 12,
    "cents in dollars": 100,
    "centimeters in meters": 100,
    "meters in kilometers": 1000,
    "grams in kilograms": 1000,
    "milliliters in liters": 1000,
    "inches in feet": 12,
    "feet in yards": 3,
    "ounces in pounds": 16,
    "quarts in gallons": 4,
    "eggs in dozen eggs": 12,
}
KNOWN = {Fraction(100), *map(Fraction, IN_THE_NEXT.values())}
"""What an equation may hold that a text need not name: percent, and units."""


def _listed(found: re.Match[str], operator: str) -> str:
    return f"({f' {operator} '.join(re.findall(NUMBER, found[1]))})"


LIST = rf"({NUMBER}(?:, {NUMBER})*,? and {NUMBER})"
PHRASES: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    (rf"(?:the sum of|the total of|\bAdd(?: up)?) {LIST}", lambda found: _listed(found, "+")),
    (rf"the product of {LIST}", lambda found: _listed(found, "*")),
    (rf"the difference between {N} and {N}", r"((\1) - (\2))"),
    (rf"the quotient of {N} and {N}", r"((\1) / (\2))"),
    (rf"the remainder of {N} divided by {N}", r"(\1 % \2)"),
    (rf"{N} (?:mod|modulo) {N}", r"\1 % \2"),
    (rf"{N} (?:added to|more than) {N}", r"((\1) + (\2))"),
    (rf"{N} (?:subtracted from|less than) {N}", r"((\2) - (\1))"),
    (rf"{N} (?:minus|take away) {N}", r"((\1) - (\2))"),
    (rf"{N} plus {N}", r"((\1) + (\2))"),
    (rf"a dozen times {N}", r"(12 * \1)"),
    (rf"{N} times {N} times {N}", r"(\1 * \2 * \3)"),
    (rf"{N} (?:times|multiplied by|groups of) {N}", r"((\1) * (\2))"),
    (rf"{N} divided by {N}", r"((\1) / (\2))"),
    (rf"{N} squared|the square of {N}", lambda found: f"({found[1] or found[2]})**2"),
    (rf"{N} cubed|the cube of {N}", lambda found: f"({found[1] or found[2]})**3"),
    (rf"{N} (?:raised )?to the power of {N}", r"(\1)**\2"),
    (rf"the square root of {N}", r"sqrt(\1)"),
    (rf"the cube root of {N}", r"cbrt(\1)"),
    (rf"({'|'.join(PARTS)}) of {N}", lambda found: f"({PARTS[found[1].lower()]} * {found[2]})"),
    (rf"(\d+)(?:%| percent) of {N}", r"(\1/100 * \2)"),
    (rf"(\d+/\d+) of {N}", r"((\1) * (\2))"),
    (rf"(?:twice|double) {N}", r"(2 * \1)"),
    (rf"triple {N}|{N} tripled", lambda found: f"(3 * {found[1] or found[2]})"),
    (rf"{N} dozen(?! eggs)", r"(12 * \1)"),
    (rf"{N} rounded to the nearest {PLACE}", lambda found: f"round({found[1]}, {PLACES[found[2]]})"),
    (rf"Round {N} to the nearest {PLACE}", lambda found: f"round({found[1]}, {PLACES[found[2]]})"),
    (rf"To the nearest {PLACE}, how much is {N}", lambda found: f"round({found[2]}, {PLACES[found[1]]})"),
    (rf"Dividing both by {N} gives", ""),
    (r"print\((.*)\)  #", r"\1 ="),
    (r"(?<=\d)%(?=\D|$)", "/100"),
]


def _shares(a: Fraction, b: Fraction, quotient: Fraction, left: Fraction) -> bool:
    return a == b * quotient + left and 0 <= left < b and quotient.denominator == 1


def _percent(part: Fraction, whole: Fraction, percent: Fraction) -> bool:
    return part * 100 == percent * whole


def _rises(before: Fraction, after: Fraction, percent: Fraction) -> bool:
    return after > before and _percent(after - before, before, percent)


def _falls(before: Fraction, after: Fraction, percent: Fraction) -> bool:
    return after < before and _percent(before - after, before, percent)


FORMS: list[tuple[str, Callable[..., bool]]] = [
    (rf"{N} divided by {N} is {N} remainder {N}\.", _shares),
    (rf"{N} / {N} = {N} R {N}", _shares),
    (rf"{N} goes into {N} {N} times, and {N} is left over\.", lambda b, a, q, r: _shares(a, b, q, r)),
    (rf"Divide {N} by {N} with remainder\. {N} remainder {N}", _shares),
    (
        rf"What is {N} divided by {N}, with remainder\? {N} remainder {N}, because {N} \* {N} \+ {N} = {N}\.",
        lambda a, b, q, r, *shown: _shares(a, b, q, r) and shown == (b, q, r, a),
    ),
    (rf"What are quotient and remainder of {N} / {N}\? The quotient is {N} and the remainder is {N}\.", _shares),
    (
        rf"{N} items are packed in boxes of {N}\. How many boxes are full, and how many items are left\? "
        rf"{N} boxes are full, {N} left\.",
        _shares,
    ),
    (rf"{N} < {N}", lambda a, b: a < b),
    (rf"{N} (?:>|is greater than) {N}\.?", lambda a, b: a > b),
    (rf"{N} is less than {N}\.", lambda a, b: a < b),
    (rf"Since {N} < {N}, {N} is the larger\.", lambda a, b, c: a < b == c),
    (rf"Which is larger, {N} or {N}\? {N}", lambda a, b, c: a != b and c == max(a, b)),
    (rf"Which is larger, {N} or {N}\? {N} is larger than {N}\.", lambda a, b, c, d: c == max(a, b) > d == min(a, b)),
    (rf"Which is smaller, {N} or {N}\? {N}", lambda a, b, c: a != b and c == min(a, b)),
    (
        rf"Which is smaller, {N} or {N}\? {N} is smaller, because {N} < {N}\.",
        lambda a, b, c, d, e: c == d == min(a, b) < e == max(a, b),
    ),
    (rf"Put < or > between {N} and {N}\. {N} < {N}", lambda a, b, c, d: (a, b) == (c, d) and a < b),
    (rf"Put < or > between {N} and {N}\. {N} > {N}", lambda a, b, c, d: (a, b) == (c, d) and a > b),
    (rf"Is {N} greater than {N}\? Yes, {N} > {N}\.", lambda a, b, c, d: (a, b) == (c, d) and a > b),
    (rf"Is {N} greater than {N}\? No, {N} < {N}\.", lambda a, b, c, d: (a, b) == (c, d) and a < b),
    (rf"{N} is {N}% of {N}\.", lambda part, percent, whole: _percent(part, whole, percent)),
    (rf"{N} out of {N} is {N}%\.", _percent),
    (rf"(\d+) / (\d+) = {N}%", _percent),
    (rf"What percent of {N} is {N}\? {N}%", lambda whole, part, percent: _percent(part, whole, percent)),
    (
        rf"{N} is what percent of {N}\? (\d+) / (\d+) = {N}%",
        lambda part, whole, again, total, percent: (part, whole) == (again, total) and _percent(part, whole, percent),
    ),
    (
        rf"Express {N} out of {N} as a percentage\. (\d+) / (\d+) \* 100 = {N}, so it is {N}%\.",
        lambda part, whole, again, total, percent, told: (
            (part, whole, percent) == (again, total, told) and _percent(part, whole, percent)
        ),
    ),
    (rf"From {N} to {N} is an increase of {N}%\.", _rises),
    (rf"From {N} to {N} is a decrease of {N}%\.", _falls),
    (rf"{N} increased by {N}% is {N}\.", lambda before, percent, after: _rises(before, after, percent)),
    (rf"{N} reduced by {N}% is {N}\.", lambda before, percent, after: _falls(before, after, percent)),
    (rf"By what percent does {N} grow to become {N}\? {N}%", _rises),
    (rf"By what percent does {N} shrink to become {N}\? {N}%", _falls),
    (
        rf"What is the percent change from {N} to {N}\? \({N} - {N}\) / {N} \* 100 = {N}, an increase of {N}%\.",
        lambda a, b, *shown: shown[:3] == (b, a, a) and shown[3] == shown[4] and _rises(a, b, shown[3]),
    ),
    (
        rf"What is the percent change from {N} to {N}\? \({N} - {N}\) / {N} \* 100 = {N}, a decrease of {N}%\.",
        lambda a, b, *shown: shown[:3] == (a, b, a) and shown[3] == shown[4] and _falls(a, b, shown[3]),
    ),
    (rf"What is {N} increased by {N}%\? {N}", lambda before, percent, after: _rises(before, after, percent)),
    (rf"What is {N} reduced by {N}%\? {N}", lambda before, percent, after: _falls(before, after, percent)),
    (
        rf"A price of {N} is lowered by {N}%\. What is it now\? {N}",
        lambda before, percent, after: _falls(before, after, percent),
    ),
    (
        rf"There are {N} boxes with {N} items each\. How many items are there\? {N} \* {N} = {N}",
        lambda a, b, *shown: shown == (a, b, a * b),
    ),
    (
        rf"1 ticket costs {N} dollars\. How much do {N} tickets cost\? {N} \* {N} = {N} dollars",
        lambda price, count, *shown: shown == (count, price, count * price),
    ),
    (
        rf"{N} items are shared equally among {N} people\. How many does each get\? (\d+) / (\d+) = {N}",
        lambda a, b, *shown: shown == (a, b, a / b),
    ),
    (rf"How many times does {N} go into {N}\? {N}", lambda b, a, quotient: a == b * quotient),
    (rf"How many groups of {N} can be made from {N}\? (\d+) / (\d+) = {N}", lambda b, a, *shown: shown == (a, b, a / b)),
    (
        rf"1 item costs {N} and another {N}\. What do both cost together\? {N} \+ {N} = {N}",
        lambda a, b, *shown: shown == (a, b, a + b),
    ),
    (rf"Sam has {N} and gets {N} more\. How much money is that\? {N}", lambda a, b, c: a + b == c),
    (
        rf"You pay {N} for something that costs {N}\. How much change do you get\? {N} - {N} = {N}",
        lambda a, b, *shown: shown == (a, b, a - b),
    ),
    (
        rf"Ana has {N} and spends {N}\. How much is left\? {N} is left: {N} - {N} = {N}\.",
        lambda a, b, *shown: shown == (a - b, a, b, a - b),
    ),
    (rf"1 costs {N}\. How much do {N} cost\? {N} \* {N} = {N}", lambda a, b, *shown: shown == (b, a, a * b)),
    (
        rf"Somebody earns {N} per hour\. How much is that for {N} hours\? {N} \* {N} = {N}",
        lambda a, b, *shown: shown == (a, b, a * b),
    ),
    (
        rf"{N} people share {N} equally\. How much does each get\? {N} / {N} = {N}",
        lambda b, a, *shown: shown == (a, b, a / b),
    ),
    (rf"{N} of them cost {N}\. How much is one\? {N}".replace("one", "1"), lambda b, a, c: a == b * c),
    (
        rf"Which positive number has the square {N}\? {N}, since {N} \* {N} = {N}\.",
        lambda square, *shown: shown == (shown[0],) * 3 + (square,) and shown[0] ** 2 == square,
    ),
    (
        rf"Which number has the cube {N}\? {N}, since {N} \* {N} \* {N} = {N}\.",
        lambda cube, *shown: shown == (shown[0],) * 4 + (cube,) and shown[0] ** 3 == cube,
    ),
]
COMPILED = [(re.compile(pattern), holds) for pattern, holds in FORMS]
COMPILED_PHRASES = [(re.compile(pattern, re.IGNORECASE), meaning) for pattern, meaning in PHRASES]

AMOUNT = r"(\d+) ([a-z]+(?: eggs)?)"
UNIT_FORMS = [
    re.compile(pattern)
    for pattern in (
        rf"{AMOUNT} = {AMOUNT}",
        rf"{AMOUNT} is (?P<work>\d+ [*/] \d+) = {AMOUNT}\.",
        rf"There are {AMOUNT} in {AMOUNT}\.",
        rf"How many (?P<asked>[a-z ]+?) are(?: in)? {AMOUNT}\? (\d+)",
        rf"Convert {AMOUNT} to (?P<asked>[a-z ]+?)\. (?P<work>\d+ [*/] \d+) = {AMOUNT}",
        rf"{AMOUNT} is how many (?P<asked>[a-z ]+?)\? {AMOUNT}",
    )
]
BLANK = r"(?:\?|x|n|__|□)"


def check(text: str, equations: list[str]) -> None:
    """Raise unless every equation of the metadata is true, the text is true, and the two say the same."""
    for equation in equations:
        assert equation_holds(equation), equation
    lines = [LABEL.sub("", LABEL.sub("", line)) for line in plain(text).split("\n") if line.strip()]
    if len(equations) == 1:
        body = " ".join(lines)
        if _is_form(body) or _is_unit(body) or _is_missing(lines):
            missing = _numbers(equations[0]) - _numbers(body) - KNOWN
            assert not missing, f"{body!r} does not name {missing} of {equations[0]}"
        else:
            _check_value(" ; ".join(lines), equations[0])
        return
    lines = [line for line in lines if re.search(r"\d", line)]
    if len(lines) == 2 * len(equations):  # question and answer on lines of their own
        lines = [f"{question} ; {answer}" for question, answer in zip(lines[::2], lines[1::2], strict=True)]
    for line, equation in zip(lines, equations, strict=True):
        _check_value(line, equation)


def _numbers(text: str) -> set[Fraction]:
    return {Fraction(number) for number in re.findall(r"\d+(?:\.\d+)?", text)}


def _is_form(body: str) -> bool:
    for pattern, holds in COMPILED:
        found = pattern.fullmatch(body)
        if found:
            assert holds(*map(Fraction, found.groups())), body
            return True
    return False


def _is_unit(body: str) -> bool:
    """Amounts in two units: as many of the one as make the other by the table above."""
    for pattern in UNIT_FORMS:
        found = pattern.fullmatch(body)
        if found is None:
            continue
        named = found.groupdict()
        others = [group for name, group in zip(_names(pattern), found.groups(), strict=True) if name is None]
        if len(others) == 3:  # How many ASKED are in 3 OTHER? 180
            others.append(named["asked"])
        (a, unit), (b, other) = (int(others[0]), others[1]), (int(others[2]), others[3])
        assert named.get("asked", other) == other, body
        if f"{unit} in {other}" in IN_THE_NEXT:
            assert a == b * IN_THE_NEXT[f"{unit} in {other}"], body
        else:
            assert b == a * IN_THE_NEXT[f"{other} in {unit}"], body
        if "work" in named:
            assert value_of(named["work"]) == b, body
        return True
    return False


def _names(pattern: re.Pattern[str]) -> list[str | None]:
    by_place = {place: name for name, place in pattern.groupindex.items()}
    return [by_place.get(place) for place in range(1, pattern.groups + 1)]


def _is_missing(lines: list[str]) -> bool:
    """An equation with a blank, and what the blank is: it must be true with that put in."""
    body = " ".join(lines)
    shown = re.search(rf"({BLANK} [-+*/] \d+|\d+ [-+*/] {BLANK}) = \d+", body)
    if shown is None:
        return False
    told = re.search(rf"(?:{BLANK} = |^\d+ *$)", body)
    numbers = re.findall(r"\d+", body.replace(shown[0], " ", 1))
    assert numbers, body
    blank = re.search(BLANK, shown[0])
    assert blank is not None
    given = re.findall(rf"{re.escape(blank[0])} = (\d+)", body.replace(shown[0], " ", 1)) or numbers[-1:]
    assert told is not None or len(numbers) == 1, body
    for value in given:
        left, right = shown[0].replace(blank[0], value, 1).split(" = ")
        assert value_of(left) == value_of(right), body
    for chain in re.findall(r"\d+ [-+*/] \d+ = \d+", body.replace(shown[0], " ", 1)):
        left, right = chain.split(" = ")
        assert value_of(left) == value_of(right), body
    return True


def _check_value(body: str, equation: str) -> None:
    """All expressions of the text have the value of the equation's two sides. At least two must be there."""
    for pattern, meaning in COMPILED_PHRASES:
        body = pattern.sub(meaning, body)
    found = [one for one in EXPRESSION.findall(body) if re.search(r"\d", one)]
    values = {value_of(one.replace("/100(", "/100 * (")) for one in found}
    if len(found) < 2:
        raise NotUnderstoodError(body)
    expected = value_of(equation.split(" = ")[1])
    assert values == {expected}, f"{body!r}: {found} = {values}, not {expected}"
