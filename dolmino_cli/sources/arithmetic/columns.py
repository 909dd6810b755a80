"""Columns: several equations in one document, of one operation or of several, in one notation."""

from __future__ import annotations

from dolmino_cli.sources.arithmetic.draws import Draws
from dolmino_cli.sources.arithmetic.notation import NOTATIONS
from dolmino_cli.sources.arithmetic.operations import SYMBOLIC_BY_WEIGHT, Operation
from dolmino_cli.sources.arithmetic.presentation import working
from dolmino_cli.sources.arithmetic.problem import Problem

HEADS = ("", "Solve:\n", "Work these out.\n", "Arithmetic practice\n\n", "Calculations:\n", "Exercises with answers\n")
MARKS = ("", "{n}. ", "{n}) ", "({n}) ", "- ", "Step {n}: ")
LINES = ("{W}", "{E} equals {V}", "{E}: {V}", "{E} → {V}", "What is {E}? {V}", "Q: {E} = ?\nA: {V}")

# The first of each (no head, no mark, the plain equation) is the usual one.
_PLACES = (0, 0, 0, 1, 2, 3, 4, 5)
_LENGTHS = (2, 2, 3, 3, 3, 4, 4, 5, 6, 8)


def column(draws: Draws, operation: Operation) -> tuple[str, str, list[Problem]]:
    """(text, template, problems): two to eight equations, one a line; half of the columns hold other operations, too."""
    notation = draws.pick(NOTATIONS)
    head, line = draws.pick(_PLACES), draws.pick(_PLACES)
    mark = 0 if "\n" in LINES[line] else draws.pick(_PLACES)
    choices = SYMBOLIC_BY_WEIGHT if draws.below(2) else (operation,)
    problems = [operation.draw(draws)]
    problems += [draws.pick(choices).draw(draws) for _ in range(draws.pick(_LENGTHS) - 1)]
    around, pattern = notation.around, MARKS[mark] + LINES[line]
    lines = [
        pattern.format(
            n=number,
            E=f"{around}{notation.write(problem.expression)}{around}",
            V=f"{around}{notation.write((problem.answer,))}{around}",
            W=f"{around}{working(draws, problem, notation)}{around}" if "{W}" in pattern else "",
        )
        for number, problem in enumerate(problems, start=1)
    ]
    return HEADS[head] + "\n".join(lines), f"c{head}.{mark}.{line}/{notation.name}", problems
