"""The values that a program's assignments give, as Python computes them, without running any of its code."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

from dolmino_cli.stages.program_limits import INTEGER_BITS, TUPLE_VALUES
from dolmino_cli.stages.program_parsing import Assignment, Assignments
from dolmino_cli.stages.program_refusal import Refused

Number = int | float
"""bool included, which Python counts among the integers."""
Value = Number | str | tuple[Number, ...] | None

_ROUND_DIGITS = 100  # Far from a float's; round(1, -10**9) would raise 10 to that power.
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
FUNCTIONS: dict[str, tuple[Callable[..., Any], int, int]] = {
    "abs": (abs, 1, 1),
    "float": (float, 1, 1),
    "int": (int, 1, 1),
    "max": (max, 2, 2**31),
    "min": (min, 2, 2**31),
    "round": (round, 1, 2),
}
"""Functions of numbers that a program may be allowed to call, each with the fewest and the most arguments."""


def evaluate(program: Assignments) -> tuple[list[dict[str, Value]], Value]:
    """What each assignment sets, name by name in its order, and the result. Raises Refused."""
    known: dict[str, Value] = {}
    steps = [_assign(statement, known) for statement in program.body]
    assert program.end.value is not None
    result = _value(program.end.value, known)
    if result is None or isinstance(result, str):
        raise Refused("no_result")
    return steps, result


def _assign(statement: Assignment, known: dict[str, Value]) -> dict[str, Value]:
    assert statement.value is not None
    found: dict[str, Value] = {}
    if isinstance(statement, ast.AugAssign):
        assert isinstance(statement.target, ast.Name)
        before = _name(statement.target, known)
        found[statement.target.id] = _arithmetic(statement.op, before, _value(statement.value, known))
    else:
        value = _value(statement.value, known)
        for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
            if isinstance(target, ast.Name):
                found[target.id] = value
            elif isinstance(target, ast.Tuple):
                if not isinstance(value, tuple) or len(value) != len(target.elts):
                    raise Refused("not_a_number")
                found |= {name.id: one for name, one in zip(target.elts, value, strict=True) if isinstance(name, ast.Name)}
    known |= found
    return found


def _value(node: ast.expr, known: dict[str, Value]) -> Value:
    return _BY_KIND[type(node)](node, known)


def _name(node: ast.Name, known: dict[str, Value]) -> Value:
    try:
        return known[node.id]
    except KeyError:
        raise Refused("undefined_name") from None


def _constant(node: ast.Constant, known: dict[str, Value]) -> Value:
    value: Value = node.value  # type: ignore[assignment]
    return value


def _binary(node: ast.BinOp, known: dict[str, Value]) -> Value:
    return _arithmetic(node.op, _value(node.left, known), _value(node.right, known))


def _arithmetic(kind: ast.operator, left: Value, right: Value) -> Number:
    a, b = _number(left), _number(right)
    try:
        return _bounded(_power(a, b) if isinstance(kind, ast.Pow) else _OPERATORS[type(kind)](a, b))
    except ZeroDivisionError:
        raise Refused("arithmetic_error") from None
    except OverflowError:
        raise Refused("magnitude") from None


def _power(base: Number, exponent: Number) -> Any:
    """`base ** exponent`, unless it is an integer that is sure to be too large: at least 2 ** ((bits - 1) * exponent)."""
    if isinstance(base, int) and isinstance(exponent, int) and (base.bit_length() - 1) * exponent >= INTEGER_BITS:
        raise Refused("magnitude")
    return base**exponent


def _unary(node: ast.UnaryOp, known: dict[str, Value]) -> Value:
    value = _value(node.operand, known)
    if isinstance(node.op, ast.Not):
        return not value
    return -_number(value) if isinstance(node.op, ast.USub) else +_number(value)


def _call(node: ast.Call, known: dict[str, Value]) -> Value:
    assert isinstance(node.func, ast.Name)
    function, fewest, most = FUNCTIONS[node.func.id]
    if not fewest <= len(node.args) <= most:
        raise Refused("call")
    arguments = [_number(_value(argument, known)) for argument in node.args]
    if function is round and len(arguments) == 2:
        if not isinstance(arguments[1], int):
            raise Refused("not_a_number")
        if abs(arguments[1]) > _ROUND_DIGITS:
            raise Refused("magnitude")
    return _bounded(function(*arguments))


def _tuple(node: ast.Tuple, known: dict[str, Value]) -> Value:
    if len(node.elts) > TUPLE_VALUES:
        raise Refused("magnitude")
    return tuple(_number(_value(element, known)) for element in node.elts)


def _compare(node: ast.Compare, known: dict[str, Value]) -> Value:
    left = _value(node.left, known)
    for kind, operand in zip(node.ops, node.comparators, strict=True):
        right = _value(operand, known)
        if not isinstance(kind, (ast.Eq, ast.NotEq)):
            left, right = _number(left), _number(right)
        if not _COMPARISONS[type(kind)](left, right):
            return False
        left = right
    return True


def _boolean(node: ast.BoolOp, known: dict[str, Value]) -> Value:
    stops_at = isinstance(node.op, ast.Or)
    value: Value = None
    for operand in node.values:
        value = _value(operand, known)
        if bool(value) is stops_at:
            break
    return value


def _conditional(node: ast.IfExp, known: dict[str, Value]) -> Value:
    return _value(node.body if _value(node.test, known) else node.orelse, known)


def _number(value: Value) -> Number:
    if isinstance(value, (int, float)):
        return value
    raise Refused("not_a_number")


def _bounded(value: Any) -> Number:
    """A result that Python has computed, unless it is too large, infinite or no real number."""
    if isinstance(value, int):
        if value.bit_length() > INTEGER_BITS:
            raise Refused("magnitude")
    elif isinstance(value, complex):
        raise Refused("arithmetic_error")
    elif not math.isfinite(value):
        raise Refused("magnitude")
    return value  # type: ignore[no-any-return]


_BY_KIND: dict[type[ast.expr], Callable[[Any, dict[str, Value]], Value]] = {
    ast.Name: _name,
    ast.Constant: _constant,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.Call: _call,
    ast.Tuple: _tuple,
    ast.Compare: _compare,
    ast.BoolOp: _boolean,
    ast.IfExp: _conditional,
}
