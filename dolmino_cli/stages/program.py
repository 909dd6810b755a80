"""`program`: problems answered by programs of nothing but assignments, with the value of every assignment beside it."""

from __future__ import annotations

import ast
import platform
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from dolmino_cli.documents import Batch
from dolmino_cli.stages.program_annotating import annotate
from dolmino_cli.stages.program_finding import Found, find, reindent
from dolmino_cli.stages.program_limits import DOCUMENT_CHARACTERS, PROBLEM_CHARACTERS
from dolmino_cli.stages.program_parsing import Assignments, parse, silent_parser
from dolmino_cli.stages.program_refusal import REASONS, Reason, Refused
from dolmino_cli.stages.program_values import FUNCTIONS, evaluate
from dolmino_cli.stages.stage import Edited


@dataclass(frozen=True, kw_only=True)
class Program:
    """A problem and a model's Python for it -> the problem and the program, annotated with the values that it computes.

    TinyGSM-MIND's rule (OLMo 2 paper, section 4.4.1): the code is executable and contains only statements that are variable
    assignments; each line that is one gets the value of its variable. Nothing is executed: an evaluator of its own
    (`program_values`) computes what Python would, within limits that are looked at before the work (`program_limits`).
    The function around the assignments, its docstring and a return at its end are TinyGSM's form and not held against a
    program. What stands around the function is left behind, and so is a docstring that only repeats the problem.

    The document gets `/annotated` behind its id, and its metadata the entry `program`: the `result`, as Python writes it, and
    the number of `assignments`.
    """

    calls: Literal["numeric", "none"] = "numeric"
    """numeric: an assignment may call abs, float, int, max, min and round, of numbers. none: no call at all."""
    reindent: bool = False
    """Give a body without indentation one, instead of dropping it as `not_python`: it does not run as it stands."""

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Every reason, as `program_refusal` explains them; a program goes by the first that is met from its top."""
        return REASONS

    def prepare(self) -> dict[str, str]:
        """Nothing to load; which Python's grammar decides what parses."""
        return {"python": ".".join(platform.python_version_tuple()[:2])}

    def edit(self, batch: Batch) -> Edited:
        """The documents with annotated programs; see `Edit.edit`."""
        ids, texts = batch.id.to_pylist(), batch.text.to_pylist()
        metadata: list[dict[str, Any] | None] = [None] * len(batch)
        dropped = np.full(len(batch), -1, np.int32)
        with silent_parser():
            for row, text in enumerate(texts):
                try:
                    texts[row], metadata[row] = self._annotated(text)
                    ids[row] += "/annotated"
                except Refused as refused:
                    dropped[row] = REASONS.index(refused.reason)
        return Edited(
            id=pa.array(ids, pa.large_string()),
            text=pa.array(texts, pa.large_string()),
            metadata=metadata,
            dropped=dropped,
        )

    def _annotated(self, text: str) -> tuple[str, dict[str, Any]]:
        """Text and further metadata of the document that `text` becomes. Raises Refused."""
        if len(text) > DOCUMENT_CHARACTERS:
            raise Refused("too_large")
        found = find(text)
        if found is None:
            raise Refused("no_code")
        code, program = self._parsed(found)
        steps, result = evaluate(program)
        annotated = annotate(code, program, steps, drop_docstring=_repeats(program.docstring, found.problem))
        more = {"program": {"result": repr(result), "assignments": len(steps)}}
        return f"{found.problem}\n{annotated}".lstrip(), more

    def _parsed(self, found: Found) -> tuple[str, Assignments]:
        calls = FUNCTIONS if self.calls == "numeric" else ()
        try:
            return found.code, parse(found.code, calls)
        except Refused as refused:
            if not (self.reindent and refused.reason == "not_python"):
                raise
        code = reindent(found)
        return code, parse(code, calls)


def _repeats(docstring: ast.Expr | None, problem: str) -> bool:
    if docstring is None or len(problem) > PROBLEM_CHARACTERS:
        return False
    assert isinstance(docstring.value, ast.Constant)
    return " ".join(str(docstring.value.value).split()) in " ".join(problem.split())
