"""Values are those that CPython computes, for random programs of what is allowed; what is refused it refuses, or is large."""

from __future__ import annotations

import ast
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dolmino_cli.stages.program_annotating import annotate
from dolmino_cli.stages.program_parsing import parse, silent_parser
from dolmino_cli.stages.program_refusal import Refused
from dolmino_cli.stages.program_values import FUNCTIONS, evaluate

NAMES = ["a", "b", "c", "größe"]
NUMBERS = st.one_of(
    st.integers(0, 20).map(str),
    st.integers(0, 2**70).map(str),
    st.floats(0, 1e6, allow_subnormal=False).map(repr),
    st.sampled_from(["0", "1", "2", "0.5", "100", "0.0", "True", "False", "1_000", "1e-3", "0x1F", "1e300"]),
)
OPERANDS = st.one_of(NUMBERS, st.sampled_from(NAMES))


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(["+", "-", "*", "/", "//", "%", "**"])
    comparisons = st.sampled_from(["<", "<=", "==", "!=", ">", ">="])
    one, pair = st.tuples(inner), st.tuples(inner, inner)
    return st.one_of(
        st.tuples(inner, operators, inner).map(lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"),
        st.tuples(inner, operators, inner).map(lambda parts: f"{parts[0]} {parts[1]} {parts[2]}"),
        one.map(lambda parts: f"-{parts[0]}"),
        one.map(lambda parts: f"(not {parts[0]})"),
        st.tuples(inner, comparisons, inner, comparisons, inner).map(lambda parts: f"({' '.join(parts)})"),
        pair.map(lambda parts: f"({parts[0]} and {parts[1]})"),
        pair.map(lambda parts: f"({parts[0]} or {parts[1]})"),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]} if {parts[1]} else {parts[2]})"),
        st.tuples(st.sampled_from(["abs", "float", "int", "round"]), inner).map(lambda parts: f"{parts[0]}({parts[1]})"),
        st.tuples(st.sampled_from(["max", "min"]), inner, inner).map(lambda parts: f"{parts[0]}({parts[1]}, {parts[2]})"),
        st.tuples(inner, st.integers(-5, 20)).map(lambda parts: f"round({parts[0]}, {parts[1]})"),
    )


EXPRESSIONS = st.recursive(OPERANDS, _larger, max_leaves=6)
STATEMENTS = st.one_of(
    st.tuples(st.sampled_from(NAMES), EXPRESSIONS).map(lambda parts: f"{parts[0]} = {parts[1]}"),
    st.tuples(st.sampled_from(NAMES), EXPRESSIONS).map(lambda parts: f"{parts[0]}: float = ({parts[1]})  # why"),
    st.tuples(st.sampled_from(NAMES), EXPRESSIONS).map(lambda parts: f"a = {parts[0]} = ({parts[1]}\n    );"),
    st.tuples(EXPRESSIONS, EXPRESSIONS).map(lambda parts: f"a, b = {parts[0]}, {parts[1]}; c = a"),
    st.tuples(st.sampled_from(NAMES), st.sampled_from("+ - * / // % **".split()), EXPRESSIONS).map(
        lambda parts: f"{parts[0]} {parts[1]}= {parts[2]}"
    ),
)


@st.composite
def programs(draw: st.DrawFn) -> str:
    known = [f"{name} = {draw(NUMBERS)}" for name in draw(st.sets(st.sampled_from(NAMES)))]
    lines = [*sorted(known), *draw(st.lists(STATEMENTS, min_size=1, max_size=5))]
    return "\n".join(["def f():", *(f"    {line}" for line in lines), f"    return {draw(OPERANDS)}"])


def cpython(code: str) -> tuple[list[dict[str, Any]], Any]:
    """What the names have after each assignment when Python runs it, and what the function returns or fails with."""
    function = ast.parse(code).body[0]
    assert isinstance(function, ast.FunctionDef)
    names: dict[str, Any] = {}
    whole: dict[str, Any] = {}
    steps = []
    try:
        for statement in function.body[:-1]:
            exec(compile(ast.Module([statement], []), "generated", "exec"), names)
            set_here = [node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
            steps.append({name: names[name] for name in set_here})
        exec(compile(code, "generated", "exec"), whole)
        return steps, whole["f"]()
    except (ArithmeticError, NameError, TypeError) as error:
        return steps, error


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_values_and_results_are_those_of_cpython(code: str) -> None:
    with silent_parser():
        try:
            parsed = parse(code, FUNCTIONS)
            steps, result = evaluate(parsed)
        except Refused as refused:
            _check_refused(code, refused.reason)
            return
        expected_steps, expected_result = cpython(code)
        assert repr([sorted(step.items()) for step in steps]) == repr([sorted(step.items()) for step in expected_steps])
        assert (repr(result), type(result)) == (repr(expected_result), type(expected_result))
        annotated = annotate(code, parsed, steps, drop_docstring=False)
        assert ast.dump(ast.parse(annotated)) == ast.dump(ast.parse(code)), "comments change nothing"


def _check_refused(code: str, reason: str) -> None:
    if reason == "magnitude" or (reason == "arithmetic_error" and "**" in code):
        return  # CPython may take forever, or go on with a complex root; the corpus of attacks has these
    steps, result = cpython(code)
    expected = {"undefined_name": NameError, "arithmetic_error": ZeroDivisionError}[reason]
    assert isinstance(result, expected), f"{reason}: CPython computes {steps} and {result}"
