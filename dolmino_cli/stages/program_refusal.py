"""Why a program is refused: the reasons by name, and the signal that carries one up."""

from __future__ import annotations

import ast
from typing import Literal, get_args

Reason = Literal[
    "no_code",  # no function definition at the start of a line
    "too_large",  # longer, more deeply nested or of more steps than `program_limits` allows
    "not_python",  # does not parse, as a body without indentation or an answer cut off within a line
    "signature",  # parameters, a decorator, `async`, or a return annotation that is no built-in type
    "import",
    "control_flow",  # if, for, while, try, with, match, assert, raise; a return before the end
    "call",  # of anything but the functions allowed
    "attribute",
    "comprehension",  # of a list, set, dictionary or generator
    "expression",  # any other: f-strings, lists, subscripts, lambda, bitwise operators, ...
    "statement",  # any other: del, global, a nested definition, an expression that is not assigned, ...
    "undefined_name",
    "not_a_number",  # arithmetic with a text, None or a tuple
    "arithmetic_error",  # division by zero, a root that is complex
    "magnitude",  # a value beyond `program_limits`, infinity included
    "no_result",  # no return at the end, as of an answer cut off between lines, or one of no number
]
REASONS: tuple[Reason, ...] = get_args(Reason)


class Refused(Exception):
    """A program is not one that the stage keeps; it goes no further than `Program.edit`, which counts the reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


_CONSTRUCTS: dict[type[ast.AST], Reason] = {
    **dict.fromkeys((ast.Import, ast.ImportFrom), "import"),
    **dict.fromkeys((ast.If, ast.For, ast.AsyncFor, ast.While, ast.Break, ast.Continue, ast.Return), "control_flow"),
    **dict.fromkeys((ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.Match, ast.Raise, ast.Assert), "control_flow"),
    **dict.fromkeys((ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp), "comprehension"),
    ast.Call: "call",
    ast.Attribute: "attribute",
}


def refusal(node: ast.AST) -> Refused:
    """For a construct that is not allowed where it stands."""
    other: Reason = "expression" if isinstance(node, ast.expr) else "statement"
    return Refused(_CONSTRUCTS.get(type(node), other))
