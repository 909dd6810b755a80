"""Wordings: the texts around an expression and its answer, put together from questions, answers and what joins the two.

In a pattern {E} is the expression or phrase, {C} the same with a capital, {V} the answer, {W} the expression with its working
and answer (`3 + 4 * 5 = 3 + 20 = 23`), {M} a calculator mark (`<<77*14=1078>>`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

JOINTS = (
    "{q}\n{a}",
    "{q} {a}",
    "Q: {q}\nA: {a}",
    "Question: {q}\nAnswer: {a}",
    "Problem: {q}\nSolution: {a}",
    "{q}\n\n{a}",
    "Student: {q}\nTeacher: {a}",
    "Exercise: {q}\nResult: {a}",
)
_SAME_LINE = 1

QUESTIONS = (
    "What is {E}?",
    "Calculate {E}.",
    "Compute {E}.",
    "Work out {E}.",
    "Find {E}.",
    "How much is {E}?",
    "What does {E} equal?",
    "What is the value of {E}?",
    "Please work out {E}.",
    "Can you calculate {E}?",
    "What do you get for {E}?",
    "Do you know what {E} is?",
)
SYMBOLIC_QUESTIONS = (
    "{E} = ?",
    "{E} =",
    "Evaluate {E}.",
    "Solve {E}.",
    "{E}",
    "Complete: {E} = ___",
)
ANSWERS = (
    "{V}",
    "The answer is {V}.",
    "{C} is {V}.",
    "It is {V}.",
    "That gives {V}.",
)
WORKED_ANSWERS = (
    "{W}",
    "{W}.",
    "{W}, so the answer is {V}.",
)
STATEMENTS = (
    "{C} is {V}.",
    "{C} equals {V}.",
    "The value of {E} is {V}.",
    "{V} is {E}.",
    "If you calculate {E}, you get {V}.",
)
WORKED_STATEMENTS = (
    "{W}",
    "{W}.",
    "So {W}.",
    "We get {W}.",
    "Therefore, {W}.",
    "First, {W}.",
    "This is {W}.",
    "Step 1: {W}",
)
SYMBOLIC_STATEMENTS = ("{V} = {E}", "{E} → {V}")
PHRASE_STATEMENTS = ("{C} is {W}.", "{C}: {W}", "To find {E}: {W}.")
MARKED_STATEMENTS = (
    "{E} = {M}{V}",
    "So {E} = {M}{V}.",
    "The result is {E} = {M}{V}.",
    "{E} = {M}{V}\n#### {V}",
)
PYTHON_STATEMENTS = (">>> {E}\n{V}", "print({E})  # {V}", "assert {E} == {V}")


@dataclass(frozen=True, slots=True)
class Wording:
    """A pattern, and the name that it goes by in a document's metadata."""

    name: str
    pattern: str


def named(prefix: str, patterns: Iterable[str]) -> tuple[Wording, ...]:
    """The patterns as wordings, `prefix` and their place for a name."""
    return tuple(Wording(f"{prefix}{place}", pattern) for place, pattern in enumerate(patterns))


def joined(name: str, question: str, answer: str) -> list[Wording]:
    """A question and its answer with every joint. On one line only after a question that is a sentence."""
    places = [place for place in range(len(JOINTS)) if place != _SAME_LINE or question.endswith(("?", ".", "!"))]
    return [Wording(f"{name}.j{place}", JOINTS[place].format(q=question, a=answer)) for place in places]


def _every(questions: Iterable[str], answers: Iterable[str], *, first_answer: int = 0) -> tuple[Wording, ...]:
    return tuple(
        wording
        for asked, question in enumerate(questions)
        for told, answer in enumerate(answers, start=first_answer)
        for wording in joined(f"q{asked}.a{told}", question, answer)
    )


OF_EXPRESSIONS = (
    *_every((*QUESTIONS, *SYMBOLIC_QUESTIONS), (*ANSWERS, *WORKED_ANSWERS)),
    *named("s", (*STATEMENTS, *SYMBOLIC_STATEMENTS)),
)
"""For an expression in symbols."""
WORKING = named("w", WORKED_STATEMENTS)
"""A step as it stands in a chain of thought."""
MARKED = named("m", MARKED_STATEMENTS)
"""As GSM8K's answers mark their calculations."""
IN_PYTHON = named("py", PYTHON_STATEMENTS)
OF_PHRASES = (
    *_every(QUESTIONS, ANSWERS),
    *named("s", STATEMENTS),
)
"""For an expression in words."""
EXPLAINED = (
    *_every(QUESTIONS, WORKED_ANSWERS, first_answer=len(ANSWERS)),
    *named("p", PHRASE_STATEMENTS),
)
"""For an expression in words whose working is shown in symbols."""
