"""Where the problem ends and the program stands in a model's answer: chatter, fences and usage around it are left behind."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dolmino_cli.stages.program_limits import SOURCE_BYTES

# Of two literals, because `\n(?:async )?def` takes 50 ms for a megabyte of empty lines, six times as long.
_DEFINITION = re.compile(r"\ndef\b|\nasync def\b")
# The function: the line of its `def`, a docstring (whose lines may begin anywhere), then every line that is indented or empty. So
# it ends at a closing fence, at `print(...)`, at an explanation, or where the answer was cut off.
_FUNCTION = re.compile(
    r"""
    (?:@[^\n]*\n)*
    [^\n]*
    (?:\n\s+(?:\"{3}.*?\"{3}|'{3}.*?'{3})[^\n]*)?
    (?:\n[ \t][^\n]*|\n(?=\n|\Z))*
    """,
    re.DOTALL | re.VERBOSE,
)
# The same without indentation, as many models write it: to the first return or, without one, to a fence or the end.
_UNINDENTED = re.compile(r"([^\n]*:)[ \t]*\n(.*?)(?:^[ \t]*(return\b[^\n]*)|^```|\Z)", re.MULTILINE | re.DOTALL)
# What may stand between the problem and the program: a fence, a heading, an import, or a line that announces the program.
_PREAMBLE = re.compile(r"\n(?:```|\#|import\b|from\b|[^\n]*:[ \t]*(?:\n|\Z))")


@dataclass(frozen=True, kw_only=True)
class Found:
    """A problem and the function that answers it, as they stand in the text."""

    problem: str
    code: str
    answer: str
    """The text from the function on, as far as a program may go."""


def find(text: str) -> Found | None:
    """The first function definition that begins a line, and the problem before it; None without one.

    Line ends are `\\n`, as Python itself reads a program. Of a long text no more is looked at than a program may have.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    definition = _DEFINITION.search(f"\n{text}")
    if definition is None:
        return None
    start = _with_decorators(text, definition.start())
    answer = text[start : start + SOURCE_BYTES + 1]
    function = _FUNCTION.match(answer)
    assert function is not None, "a definition's first line matches"
    before = text[:start].rstrip()
    preamble = _PREAMBLE.search(before)
    problem = before[: preamble.start()] if preamble else before
    return Found(problem=problem.strip(), code=function.group(), answer=answer)


def _with_decorators(text: str, start: int) -> int:
    """Where the line before `start` begins, if it is a decorator: one is enough to be refused."""
    previous = text.rfind("\n", 0, max(start - 1, 0)) + 1
    return previous if text.startswith("@", previous) else start


def reindent(found: Found) -> str:
    """The function with one indentation for every line of its body; as it stands where its first line is not whole.

    A program of assignments has no line deeper than another, so that this restores what was lost; where a line must be deeper,
    as after `if`, the outcome is no Python.
    """
    function = _UNINDENTED.match(found.answer)
    if function is None:
        return found.code
    head, body, last = function.groups()
    lines = [line.strip() for line in [*body.removesuffix("\n").split("\n"), last or ""]]
    return "\n".join([head, *(f"    {line}" if line else "" for line in lines)]).rstrip()
