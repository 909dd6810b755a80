"""TinyGSM's programs as one would run them at first: parsed, looked at, and executed statement by statement in a worker process.

Nothing holds the programs back but that they are assignments by their syntax tree; the worker is there so that one that hangs or
crashes takes nothing else with it.
Usage: python exec_programs.py ROWS.jsonl.zst OUTPUT.json PASSES
"""

from __future__ import annotations

import ast
import io
import json
import multiprocessing
import os
import sys
import time
import warnings
from pathlib import Path

import zstandard

CHUNK = 256


def run(answer: str) -> list[object] | None:
    """[result, assignments] and the program with its values; None for what is no program of assignments, or fails."""
    warnings.simplefilter("ignore")
    lines = answer.split("\n")
    starts = [number for number, line in enumerate(lines) if line.startswith("def ")]
    if not starts:
        return None
    ends = [number for number in range(starts[0], len(lines)) if lines[number].split()[:1] == ["return"]]
    code = "\n".join(lines[starts[0] : ends[0] + 1]) if ends else ""
    try:
        function = ast.parse(code).body[0]
        *body, last = function.body[ast.get_docstring(function) is not None :]  # type: ignore[attr-defined, arg-type]
        if not all(isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)) for node in body) or not isinstance(
            last, ast.Return
        ):
            return None
        names: dict[str, object] = {}
        annotated = code.split("\n")
        for node in body:
            exec(compile(ast.Module([node], []), "<program>", "exec"), names)
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            annotated[node.end_lineno - 1] += f"  # {eval(ast.unparse(target), names)!r}"
        assert last.value is not None
        result = eval(compile(ast.Expression(last.value), "<program>", "eval"), names)
        return [repr(result), len(body), "\n".join(annotated)]
    except Exception:  # noqa: BLE001  Whatever a program may raise.
        return None


def silence() -> None:
    """Some programs ask for input, with a prompt."""
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  The worker's own, to its end.


def main(rows: str, output: str, passes: str) -> None:
    """Write {row number: [result, assignments]}; print the seconds of every pass."""
    with Path(rows).open("rb") as file:
        stream = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(file))
        answers = [json.loads(line)["assistant"] for line in stream]
    seconds = []
    with multiprocessing.get_context("fork").Pool(1, silence) as pool:
        for _ in range(int(passes)):
            started = time.perf_counter()
            found = list(pool.imap(run, answers, CHUNK))
            seconds.append(time.perf_counter() - started)
    kept = {number: one[:2] for number, one in enumerate(found) if one is not None}
    Path(output).write_text(json.dumps(kept), encoding="utf-8")
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
