"""Presentation: one problem as text, in symbols, in words, or in a form of its own."""

from __future__ import annotations

from dolmino_cli.sources.arithmetic import wordings
from dolmino_cli.sources.arithmetic.draws import Draws
from dolmino_cli.sources.arithmetic.notation import (
    ASCII,
    LETTER_X,
    LONG_NOTATIONS,
    NOTATIONS,
    PYTHON,
    SIGNS,
    TIGHT,
    Notation,
)
from dolmino_cli.sources.arithmetic.numerals import spelled, with_separators
from dolmino_cli.sources.arithmetic.problem import Problem

IN_SYMBOLS, IN_WORDS, IN_OWN = range(3)
_HOW_OFTEN = (IN_SYMBOLS,) * 5 + (IN_WORDS,) * 2 + (IN_OWN,)
MARK_NOTATIONS = (ASCII, TIGHT, LETTER_X)
WORKING_NOTATIONS = (ASCII, LETTER_X, SIGNS)


def present(draws: Draws, problem: Problem) -> tuple[str, str]:
    """(text, template) of a problem. A template's name says its wording and notation; `templates.py` lists all."""
    forms = problem.forms
    possible = (bool(problem.expression), bool(forms.phrases), bool(forms.statements or forms.exchanges))
    how = draws.pick(_HOW_OFTEN)
    while not possible[how]:
        how = (how + 1) % 3
    if how == IN_SYMBOLS:
        return _in_symbols(draws, problem)
    return _in_words(draws, problem) if how == IN_WORDS else _in_own(draws, problem)


def working(draws: Draws, problem: Problem, notation: Notation) -> str:
    """`E = V`, or with the steps between them; without the notation's `around`."""
    left, right = notation.write(problem.expression), notation.write((problem.answer,))
    if problem.steps and draws.below(2):
        return " = ".join([left, *(notation.write(step) for step in problem.steps), right])
    return f"{left} = {right}"


def _in_symbols(draws: Draws, problem: Problem) -> tuple[str, str]:
    kind = draws.below(16)
    if kind < 2 and problem.is_markable:
        notation, choices = draws.pick(MARK_NOTATIONS), wordings.MARKED
    elif kind == 2 and problem.is_integral:
        notation, choices = PYTHON, wordings.IN_PYTHON
    else:
        notation = draws.pick(LONG_NOTATIONS if problem.is_long else NOTATIONS)
        choices = wordings.WORKING if kind < 7 else wordings.OF_EXPRESSIONS
    wording = draws.pick(choices)
    around = notation.around
    expression = f"{around}{notation.write(problem.expression)}{around}"
    text = wording.pattern.format(
        E=expression,
        C=expression,
        V=f"{around}{notation.write((problem.answer,))}{around}",
        W=f"{around}{working(draws, problem, notation)}{around}" if "{W}" in wording.pattern else "",
        M=f"<<{TIGHT.write(problem.expression)}={problem.answer}>>",
    )
    return text, f"{wording.name}/{notation.name}"


def _in_words(draws: Draws, problem: Problem) -> tuple[str, str]:
    place = draws.below(len(problem.forms.phrases))
    numbers, answer, figures = problem.numbers, problem.answer, "figures"
    if problem.is_spellable and "%" not in problem.forms.phrases[place] and draws.below(3) == 0:
        figures = "spelled"
    elif problem.is_long and draws.below(3) == 0:
        figures = "separated"
    write = _FIGURES[figures]
    if write is not None:
        numbers, answer = tuple(map(write, numbers)), write(answer)
    phrase = problem.forms.phrases[place].format(*numbers)
    if problem.expression and draws.below(3) == 0:
        wording = draws.pick(wordings.EXPLAINED)
        work = working(draws, problem, draws.pick(WORKING_NOTATIONS))
    else:
        wording, work = draws.pick(wordings.OF_PHRASES), ""
    text = wording.pattern.format(E=phrase, C=phrase[0].upper() + phrase[1:], V=answer, W=work)
    return text[0].upper() + text[1:], f"{wording.name}/{problem.forms.name}.{place}/{figures}"


_FIGURES = {"figures": None, "separated": with_separators, "spelled": spelled}


def _in_own(draws: Draws, problem: Problem) -> tuple[str, str]:
    forms = problem.forms
    told = forms.statements and (not forms.exchanges or draws.below(3) == 0)
    wording = draws.pick(forms.statements if told else forms.exchanges)
    numbers, answer, figures = problem.numbers, problem.answer, "figures"
    if problem.is_long and draws.below(3) == 0:
        numbers, answer, figures = tuple(map(with_separators, numbers)), with_separators(answer), "separated"
    return wording.pattern.format(*numbers, V=answer), f"{wording.name}/{figures}"
