"""Notations: an expression's tokens -> text, as plain ASCII, with mathematical signs, in LaTeX, as Python, and as canonical.

An expression is a tuple of tokens: operators `+ - * / %`, brackets `( )`, exponents `^2` to `^20`, roots `sqrt(` and `cbrt(`
ended by `root)`, and numbers, which are all other tokens: `77`, `-5`, `2.5`, `$4.50`, `15%`, `3/4`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dolmino_cli.sources.arithmetic.numerals import with_separators

Expression = tuple[str, ...]

_EXPONENTS = range(2, 21)
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_BRACKETS = {"(": "(", ")": ")"}
_ROOTS = {"sqrt(": "sqrt(", "cbrt(": "cbrt(", "root)": ")"}
_FRACTION = re.compile(r"(\d+)/(\d+)")


@dataclass(frozen=True, kw_only=True)
class Notation:
    """How tokens are written: `symbols` by token, other tokens (numbers) through `number`, all between `around` twice."""

    name: str
    symbols: Mapping[str, str]
    number: Callable[[str], str] | None = None
    around: str = ""

    def write(self, tokens: Expression) -> str:
        """The tokens as text, without `around`."""
        symbols, number = self.symbols, self.number
        if number is None:
            return "".join([symbols.get(token, token) for token in tokens])
        return "".join([symbols[token] if token in symbols else number(token) for token in tokens])


def _spaced(times: str, divided: str, *, minus: str = "-", modulo: str = "mod") -> dict[str, str]:
    return {"+": " + ", "-": f" {minus} ", "*": f" {times} ", "/": f" {divided} ", "%": f" {modulo} ", **_BRACKETS}


def _powers(before: str, after: str = "") -> dict[str, str]:
    return {f"^{n}": f"{before}{n}{after}" for n in _EXPONENTS}


def _signs_number(token: str) -> str:
    return token.replace("-", "−")


def _latex_number(token: str) -> str:
    if token.isdecimal():
        return token
    return _FRACTION.sub(r"\\frac{\1}{\2}", token.replace("$", "\\$").replace("%", "\\%"))


def _canonical_number(token: str) -> str:
    if token.isdecimal():
        return token
    if token.endswith("%"):
        return f"({token[:-1]}/100)"
    return f"({token})" if "/" in token and not token.startswith("(") else token.lstrip("$")


_RAISED_POWERS = {f"^{n}": str(n).translate(_RAISED) for n in _EXPONENTS}
_LATEX = {
    **_spaced(r"\times", r"\div", modulo=r"\bmod"),
    **_powers("^{", "}"),
    "sqrt(": r"\sqrt{",
    "cbrt(": r"\sqrt[3]{",
    "root)": "}",
}

ASCII = Notation(name="ascii", symbols={**_spaced("*", "/"), **_powers("^"), **_ROOTS})
TIGHT = Notation(
    name="tight",
    symbols={**{operator: operator for operator in "+-*/"}, "%": " mod ", **_BRACKETS, **_powers("^"), **_ROOTS},
)
LETTER_X = Notation(name="letter-x", symbols={**_spaced("x", "/"), **_powers("^"), **_ROOTS})
SIGNS = Notation(
    name="signs",
    symbols={**_spaced("×", "÷", minus="−"), **_RAISED_POWERS, "sqrt(": "√", "cbrt(": "∛", "root)": ""},
    number=_signs_number,
)
LATEX = Notation(name="latex", symbols=_LATEX, number=_latex_number, around="$")
LATEX_DOT = Notation(name="latex-dot", symbols={**_LATEX, "*": r" \cdot ", "/": " / "}, number=_latex_number, around="$")
PYTHON = Notation(name="python", symbols={**_spaced("*", "/", modulo="%"), **_powers(" ** "), **_ROOTS})
SEPARATED = Notation(name="separated", symbols=ASCII.symbols, number=with_separators)
SEPARATED_SIGNS = Notation(
    name="separated-signs", symbols=SIGNS.symbols, number=lambda token: _signs_number(with_separators(token))
)

NOTATIONS = (ASCII, ASCII, ASCII, TIGHT, LETTER_X, SIGNS, SIGNS, LATEX, LATEX_DOT)
"""Any expression can be written in these; those that stand here more than once are taken more often."""
LONG_NOTATIONS = (*NOTATIONS, SEPARATED, SEPARATED, SEPARATED_SIGNS)
"""For expressions with a number of four digits or more."""

_CANONICAL = Notation(
    name="canonical",
    symbols={**_spaced("*", "/", modulo="%"), **_powers(" ** "), **_ROOTS},
    number=_canonical_number,
)


def canonical(tokens: Expression) -> str:
    """The tokens in the one grammar of `equations` in a document's metadata (docs/arithmetic.md)."""
    return _CANONICAL.write(tokens)
