"""Where the problem ends and the program stands in a model's answer: chatter, fences and usage around it are left behind."""

from __future__ import annotations

import re
from dataclasses import dataclass

# The function: decorators, the line of its `def`, a docstring (whose lines may begin anywhere), then every line that is indented
# or empty. So it ends at a closing fence, at `print(...)`, at an explanation, or where the answer was cut off.
_FUNCTION = re.compile(
    r"""
    ^(?:@[^\n]*\n){0,8}
    (?:async[ ]+)?def\b[^\n]*
    (?:\n\s+(?:\"{3}.*?\"{3}|'{3}.*?'{3})[^\n]*)?
    (?:\n[ \t][^\n]*|\n(?=\n|\Z))*
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
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
    """The text from the function on."""


def find(text: str) -> Found | None:
    """The first function definition that begins a line, and the problem before it; None without one.

    Line ends are `\\n`, as Python itself reads a program.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    function = _FUNCTION.search(text)
    if function is None:
        return None
    before = text[: function.start()].rstrip()
    preamble = _PREAMBLE.search(before)
    problem = before[: preamble.start()] if preamble else before
    return Found(problem=problem.strip(), code=function.group().rstrip(), answer=text[function.start() :])


def reindent(found: Found) -> str:
    """The function with one indentation for every line of its body; as it stands where its first line is not whole.

    A program of assignments has no line deeper than another, so that this restores what was lost; where a line must be deeper,
    as after `if`, the outcome is no Python.
    """
    function = _UNINDENTED.match(found.answer)
    if function is None:
        return found.code
    head, body, last = function.groups()
    lines = [line.strip() for line in [*body.split("\n"), last or ""]]
    return "\n".join([head, *(f"    {line}" if line else "" for line in lines)]).rstrip()
