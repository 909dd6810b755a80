"""An evaluator of its own for generated arithmetic: reads a document's text as a person would, and computes with fractions.

Nothing here is the generator's: it knows English, signs, LaTeX and Python, and that whatever a text states must be true.
"""

from __future__ import annotations

import ast
import re
from fractions import Fraction
from math import isqrt

UNITS = {name: value for value, name in enumerate("zero one two three four five six seven eight nine ten".split())}
UNITS |= {name: 11 + place for place, name in enumerate("eleven twelve thirteen fourteen fifteen sixteen seventeen".split())}
UNITS |= {"eighteen": 18, "nineteen": 19}
TENS = {name: 20 + 10 * place for place, name in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split())}
NUMBER_WORD = "|".join([*sorted(UNITS, key=len, reverse=True), *TENS, "hundred", "thousand"])
SPELLED = re.compile(rf"(?<!nearest )\b(?:{NUMBER_WORD})(?:[ -](?:{NUMBER_WORD}))*\b", re.IGNORECASE)
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


class NotUnderstoodError(Exception):
    """The text says something that this evaluator cannot read: a failure, never to be passed over."""


def value_of(expression: str) -> Fraction:
    """The exact value of + - * / // % ** and brackets, sqrt, cbrt and round, read by Python's own parser."""
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except SyntaxError:
        raise NotUnderstoodError(expression) from None
    return _value(tree.body, expression)


def _value(node: ast.expr, source: str) -> Fraction:
    match node:
        case ast.Constant():
            return Fraction(ast.get_source_segment(source.strip(), node) or "")
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, source)
        case ast.BinOp(left=left, op=operator, right=right):
            a, b = _value(left, source), _value(right, source)
            match operator:
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Mult():
                    return a * b
                case ast.Div():
                    return a / b
                case ast.Mod():
                    return a % b
                case ast.Pow():
                    assert b.denominator == 1 and 0 <= b < 100
                    return Fraction(a ** int(b))
        case ast.Call(func=ast.Name(id="sqrt"), args=[argument]):
            return _root(_value(argument, source), 2)
        case ast.Call(func=ast.Name(id="cbrt"), args=[argument]):
            return _root(_value(argument, source), 3)
        case ast.Call(func=ast.Name(id="round"), args=[argument, places]):
            return nearest(_value(argument, source), Fraction(10) ** -int(_value(places, source)))
    raise NotUnderstoodError(source)


def _root(value: Fraction, degree: int) -> Fraction:
    assert value.denominator == 1
    root = isqrt(int(value)) if degree == 2 else round(int(value) ** (1 / 3))
    assert root**degree == value, f"{value} has no exact root"
    return Fraction(root)


def nearest(value: Fraction, unit: Fraction) -> Fraction:
    """The multiple of `unit` next to `value`; two equally near are refused."""
    whole, part = divmod(value / unit, 1)
    assert part != Fraction(1, 2), f"{value} lies half way between two multiples of {unit}"
    return (whole + (part > Fraction(1, 2))) * unit


def equation_holds(equation: str) -> bool:
    """Whether an equation or inequality of a document's metadata is true. It has one relation."""
    left, relation, right = re.split(r"\s(=|<)\s", equation)
    return value_of(left) == value_of(right) if relation == "=" else value_of(left) < value_of(right)


def plain(text: str) -> str:
    """The text with its signs, LaTeX, thousands separators and number words as plain ASCII arithmetic."""
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    text = re.sub(r"\\frac\{(\d+)\}\{(\d+)\}", r"(\1/\2)", text)
    text = re.sub(r"\\sqrt\[3\]\{(\d+)\}", r"cbrt(\1)", text)
    text = re.sub(r"\\sqrt\{(\d+)\}", r"sqrt(\1)", text)
    text = re.sub(r"√(\d+)", r"sqrt(\1)", text)
    text = re.sub(r"∛(\d+)", r"cbrt(\1)", text)
    text = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda found: "**" + found[0].translate(RAISED), text)
    for written, meant in (
        (r"\times", "*"),
        (r"\cdot", "*"),
        (r"\div", "/"),
        (r"\bmod", "mod"),
        ("×", "*"),
        ("÷", "/"),
        ("−", "-"),
    ):
        text = text.replace(written, meant)
    text = text.replace("\\$", "").replace("\\%", "%").replace("$", "")
    text = re.sub(r"\^\{?(\d+)\}?", r"**\1", text)
    text = re.sub(r"(?<=[\d)%]) x (?=[\d(-])", " * ", text)
    return SPELLED.sub(lambda found: str(_spelled(found[0])), text)


def _spelled(words: str) -> int:
    total = part = 0
    for word in re.split("[ -]", words.lower()):
        if word == "thousand":
            total, part = total + part * 1000, 0
        elif word == "hundred":
            part *= 100
        else:
            part += UNITS[word] if word in UNITS else TENS[word]
    return total + part
