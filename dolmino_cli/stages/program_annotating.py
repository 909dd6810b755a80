"""The program with the value of every assignment beside it, as a comment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dolmino_cli.stages.program_parsing import Assignments
from dolmino_cli.stages.program_refusal import Refused
from dolmino_cli.stages.program_values import Value

_TAIL = re.compile(r"[ \t\f]*(;?)[ \t\f]*(#.*)?")  # What may follow the last statement of a line.


def annotate(code: str, program: Assignments, steps: Sequence[Mapping[str, Value]], *, drop_docstring: bool) -> str:
    """`code` to its return, with each assignment's numbers in a comment on its last line, before a comment that stands there.

    One number stands alone (`# 24`), several with their names (`# a = 1, b = 2`), each as Python's `repr`. What is no number
    gets no comment. Raises Refused where a line cannot take one because it ends with a backslash.
    """
    lines = code.split("\n")[: program.end.end_lineno]
    for line, (end, values) in _last_statements(program, steps).items():
        shown = {name: repr(value) for name, value in values.items() if isinstance(value, (int, float, tuple))}
        if shown:
            named = [f"{name} = {value}" for name, value in shown.items()] if len(shown) > 1 else shown.values()
            lines[line] = _with_comment(lines[line], end, ", ".join(named))
    if drop_docstring:
        del lines[_docstring_lines(program, lines)]
    return "\n".join(lines)


def _last_statements(program: Assignments, steps: Sequence[Mapping[str, Value]]) -> dict[int, tuple[int, Mapping[str, Value]]]:
    """By line, from 0: where the last statement that ends there ends, and what it and those before it on the line assign."""
    ends: dict[int, tuple[int, Mapping[str, Value]]] = {}
    line = -1
    for statement, values in zip([*program.body, program.end], [*steps, {}], strict=True):
        assert statement.end_lineno is not None and statement.end_col_offset is not None
        if statement.lineno - 1 == line:  # `a = 1; b = 2`
            values = {**ends.pop(line)[1], **values}
        line = statement.end_lineno - 1
        ends[line] = (statement.end_col_offset, values)
    return ends


def _with_comment(line: str, end: int, comment: str) -> str:
    """`line` with `comment` behind its byte `end`, where its last statement ends."""
    if not line.isascii():
        end = len(line.encode()[:end].decode())
    tail = _TAIL.fullmatch(line, end)
    if tail is None:
        raise Refused("statement")
    semicolon, own = tail.groups()
    return f"{line[:end]}{semicolon}  # {comment}" + (f"  {own.rstrip()}" if own else "")


def _docstring_lines(program: Assignments, lines: Sequence[str]) -> slice:
    """The lines of the docstring, from 0, and empty ones behind it; none where it shares one with code."""
    docstring, following = program.docstring, [*program.body, program.end][0]
    if docstring is None or docstring.end_lineno is None or docstring.lineno == 1 or docstring.end_lineno == following.lineno:
        return slice(0, 0)
    end = docstring.end_lineno
    while not lines[end].strip():
        end += 1
    return slice(docstring.lineno - 1, end)
