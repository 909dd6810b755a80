"""Run programs in CPython, for a test to compare with: what each assignment sets, and what the function returns.

Run as `python -I -S sandbox_values.py < programs.json`: without site packages, with few built-in functions and hard limits, so
that a program that should never have been kept does no harm either.
"""

import ast
import builtins
import json
import resource
import sys
import unicodedata  # noqa: F401  Python's parser imports it for a name beyond ASCII, when no file may be opened any more.

ALLOWED = {name: getattr(builtins, name) for name in ("abs", "float", "int", "max", "min", "round", "tuple", "str", "bool")}


def numbers(names: dict[str, object], statement: ast.stmt) -> dict[str, str]:
    """By name, as Python writes it, every number or tuple that `statement` has set."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]  # type: ignore[attr-defined]
    set_here = [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
    return {name: repr(names[name]) for name in set_here if isinstance(names[name], (int, float, tuple))}


def run(code: str) -> dict[str, object]:
    function = ast.parse(code).body[0]
    assert isinstance(function, ast.FunctionDef)
    whole: dict[str, object] = {"__builtins__": ALLOWED}
    exec(compile(code, "whole", "exec"), whole)
    result = repr(whole[function.name]())  # type: ignore[operator]
    names: dict[str, object] = {"__builtins__": ALLOWED}
    steps = []
    for statement in function.body:
        if isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
            exec(compile(ast.Module([statement], []), "statement", "exec"), names)
            steps.append(numbers(names, statement))
    return {"steps": steps, "result": result}


if __name__ == "__main__":
    programs = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 24, 1 << 24))
    sys.stdout.write(json.dumps([run(code) for code in programs]))
