"""Code -> Assignments: what Python makes of it, if it is one function of nothing but assignments and a return."""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from dolmino_cli.stages.program_limits import BRACKETS, DEPTH, INTEGER_BITS, SOURCE_BYTES, STEPS
from dolmino_cli.stages.program_refusal import Refused, refusal

Assignment = ast.Assign | ast.AugAssign | ast.AnnAssign

_BUILT_IN_TYPES = frozenset({"int", "float", "bool", "complex", "str", "tuple", "list", "dict", "set", "object"})
_ARITHMETIC = frozenset({ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow})
_SIGNS = frozenset({ast.UAdd, ast.USub, ast.Not})
_COMPARISONS = frozenset({ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE})


@dataclass(frozen=True, kw_only=True)
class Assignments:
    """A program that is allowed, as Python's syntax tree; it has not been evaluated yet."""

    docstring: ast.Expr | None
    body: Sequence[Assignment]
    end: ast.Return
    """The last statement; it returns something."""


@contextmanager
def silent_parser() -> Iterator[None]:
    """No warnings of Python's about the programs' escape sequences and comparisons; around many calls of `parse`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def parse(code: str, calls: Collection[str]) -> Assignments:
    """The function that `code` consists of. Raises Refused with the first reason, from the top to the bottom.

    `calls` are the functions that may be called. Size and nesting are looked at before Python's parser sees the code.
    """
    if len(code) > SOURCE_BYTES or len(code.encode()) > SOURCE_BYTES or _brackets(code) > BRACKETS:
        raise Refused("too_large")
    try:
        # Of a syntax error Python reads the line, from the file of that name: there is none without a name.
        module = ast.parse(code, filename="")
    except (RecursionError, MemoryError):
        raise Refused("too_large") from None
    except (SyntaxError, ValueError):  # ValueError: a null character, before Python 3.12.
        raise Refused("not_python") from None
    function = module.body[0]
    _check_signature(function)
    assert isinstance(function, ast.FunctionDef)
    body = function.body
    docstring = body[0] if ast.get_docstring(function, clean=False) is not None else None
    assert docstring is None or isinstance(docstring, ast.Expr)
    last = body[-1]
    check = _Check(calls)
    statements = body[docstring is not None : -1 if isinstance(last, ast.Return) else None]
    assignments = [check.statement(statement) for statement in statements]
    if not isinstance(last, ast.Return) or last.value is None:
        raise Refused("no_result")
    check.expression(last.value, 0)
    check.no_call_of_a_variable()
    return Assignments(docstring=docstring, body=assignments, end=last)


def _brackets(code: str) -> int:
    """How deep brackets stand within one another, at most; those in texts and comments count, too."""
    if code.count("(") + code.count("[") + code.count("{") <= BRACKETS:
        return 0
    depth = deepest = 0
    for character in code:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth -= 1
    return deepest


def _check_signature(function: ast.stmt) -> None:
    if not isinstance(function, ast.FunctionDef):
        raise Refused("signature")
    arguments, returns = function.args, function.returns
    if arguments.args or arguments.posonlyargs or arguments.kwonlyargs or arguments.vararg or arguments.kwarg:
        raise Refused("signature")
    if function.decorator_list or getattr(function, "type_params", None) or function.name == "__debug__":
        raise Refused("signature")
    # Python evaluates this annotation when it defines the function.
    built_in = isinstance(returns, ast.Name) and returns.id in _BUILT_IN_TYPES
    if not (returns is None or built_in or (isinstance(returns, ast.Constant) and returns.value is None)):
        raise Refused("signature")


class _Check:
    """Whether a program is made of what is allowed only; also where it would not be evaluated, as after `or`."""

    def __init__(self, calls: Collection[str]) -> None:
        self._calls = calls
        self._steps = 0
        self._assigned: set[str] = set()
        self._called: set[str] = set()

    def statement(self, node: ast.stmt) -> Assignment:
        """`node`, which is an assignment to names."""
        if isinstance(node, ast.Assign):
            self.expression(node.value, 0)
            for target in node.targets:
                self._target(target)
        elif isinstance(node, ast.AugAssign):
            _check_operator(node.op)
            self.expression(node.value, 0)
            self._name(node.target)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            # Python does not evaluate the annotation of a function's variable; all the same, only plain ones.
            if not (node.simple and isinstance(node.annotation, ast.Name)):
                raise Refused("expression")
            self.expression(node.value, 0)
            self._name(node.target)
        else:
            if isinstance(node, ast.Expr):
                self.expression(node.value, 0)
            raise refusal(node)
        return node

    def expression(self, node: ast.expr, depth: int) -> None:
        """Refuse what is not allowed, the outermost construct first."""
        self._steps += 1
        if self._steps > STEPS or depth > DEPTH:
            raise Refused("too_large")
        match node:
            case ast.Name():
                pass
            case ast.Constant():
                _check_constant(node)
            case ast.BinOp():
                _check_operator(node.op)
                self.expression(node.left, depth + 1)
                self.expression(node.right, depth + 1)
            case ast.UnaryOp() if type(node.op) in _SIGNS:
                self.expression(node.operand, depth + 1)
            case ast.Call(func=ast.Name(id=name)) if name in self._calls and not node.keywords:
                self._called.add(name)
                self._all(node.args, depth)
            case ast.Tuple():
                self._all(node.elts, depth)
            case ast.Compare() if all(type(operator) in _COMPARISONS for operator in node.ops):
                self._all([node.left, *node.comparators], depth)
            case ast.BoolOp():
                self._all(node.values, depth)
            case ast.IfExp():
                self._all([node.test, node.body, node.orelse], depth)
            case _:
                raise refusal(node)

    def no_call_of_a_variable(self) -> None:
        """Refuse `max = 3` beside `max(1, 2)`: wherever a function assigns a name, it is a variable in all of it."""
        if self._called & self._assigned:
            raise Refused("call")

    def _all(self, nodes: Sequence[ast.expr], depth: int) -> None:
        for node in nodes:
            self.expression(node, depth + 1)

    def _target(self, node: ast.expr) -> None:
        if isinstance(node, ast.Tuple):
            for element in node.elts:
                self._name(element)
        else:
            self._name(node)

    def _name(self, node: ast.expr) -> None:
        if not isinstance(node, ast.Name):
            raise refusal(node)
        if node.id == "__debug__":  # Parses, but does not compile.
            raise Refused("not_python")
        self._assigned.add(node.id)


def _check_operator(operator: ast.operator) -> None:
    if type(operator) not in _ARITHMETIC:
        raise Refused("expression")


def _check_constant(node: ast.Constant) -> None:
    value = node.value
    if isinstance(value, int):
        if value.bit_length() > INTEGER_BITS:
            raise Refused("magnitude")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise Refused("magnitude")
    elif not (value is None or isinstance(value, str)):
        raise refusal(node)
