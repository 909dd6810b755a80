"""The recipe `tinygsm`: rows of both layouts, and the answers of seven models, each value checked against CPython."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
import tokenize
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.filters.make import Ran, run_recipe
from tests.pipeline.make import read_lines, write_shard

SOURCES_PAGE = Path(__file__).resolve().parents[2] / "docs" / "sources.md"
SANDBOX = Path(__file__).with_name("sandbox_values.py")
MODELS = "4.1_nano GPT_4.1_mini GPT_4.1_mini_no_example Llama3.3_70b Mixtral_8x7B gpt4.1 llama3.1_8b".split()
REINDENT = ("program.reindent=true",)

QUESTION = "A box holds 6 eggs. How many eggs are in 7 boxes?"
CODE = f"def simple_math_problem() -> int:\n    '''\n    {QUESTION}\n    '''\n    eggs = 6 * 7\n    return eggs"
ANNOTATED = f"{QUESTION}\ndef simple_math_problem() -> int:\n    eggs = 6 * 7  # 42\n    return eggs"


def documents(ran: Ran) -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted((ran.output / "documents").rglob("*.zst")) for line in read_lines(path)]


def test_rows_of_both_layouts_become_annotated_documents(tmp_path: Path) -> None:
    published = {"question": QUESTION, "code": CODE}
    recreated = {
        "result": "its own",
        "user": QUESTION,
        "assistant": f"```python\n{CODE}\n```",
        "dataset": "made/rows",
        "original_index": 7,
    }
    loop = {**published, "code": CODE.replace("eggs = 6 * 7", "for box in range(7): eggs = 6")}
    shard = write_shard(tmp_path / "in/a.jsonl.zst", [json.dumps(row).encode() for row in (published, recreated, loop)])
    ran = run_recipe("tinygsm", None, [shard], tmp_path / "out", rejects=True)
    assert list(ran.reasons.values()) == [None, None, "control_flow"]
    kept = documents(ran)
    assert [document["text"] for document in kept] == [ANNOTATED, ANNOTATED]
    assert kept[1]["id"] == "made/rows/7/annotated"
    assert kept[1]["metadata"] == {**recreated, "program": {"result": "42", "assignments": 1}}


@pytest.fixture(scope="module")
def runs(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, tuple[str, ...]], Ran]:
    """Every file through the recipe, as it is and with each parameter changed."""
    folder = tmp_path_factory.mktemp("tinygsm")
    return {
        (model, overrides): run_recipe(
            "tinygsm", None, [shared_data / f"tinygsm/{model}.jsonl.zst"], folder / f"{model}-{number}", overrides
        )
        for model in MODELS
        for number, overrides in enumerate([(), ("program.calls=none",), REINDENT])
    }


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_what_is_kept_of_each_model_stands_in_the_docs(model: str, runs: dict[Any, Ran]) -> None:
    counts, strict, mended = (runs[model, overrides].counts for overrides in ((), ("program.calls=none",), REINDENT))
    assert (counts["in"], counts["quarantined"]) == (1000, 0)
    largest = sorted(((number, reason) for reason, number in counts["dropped"].items() if number), reverse=True)
    dropped = ", ".join(f"{reason} {number}" for number, reason in largest)
    row = f"| `{model}` | {counts['kept']} | {strict['kept']} | {mended['kept']} | {dropped} |"
    assert row in SOURCES_PAGE.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [(), REINDENT], ids=["as_is", "reindent"])
@pytest.mark.parametrize("model", MODELS)
def test_every_value_is_the_one_that_cpython_computes(
    model: str, overrides: tuple[str, ...], runs: dict[Any, Ran], shared_data: Path
) -> None:
    kept = documents(runs[model, overrides])
    assert len(kept) == runs[model, overrides].counts["kept"] > 0
    rows = {
        f"{row['dataset']}/{row['original_index']}/annotated": row for row in rows_of(shared_data / f"tinygsm/{model}.jsonl.zst")
    }
    annotated = [document["text"][document["text"].index("def ") :] for document in kept]
    # What was mended does not run as the model wrote it: there the program is the one that was written.
    originals = [program_of(rows[document["id"]]["assistant"]) for document in kept] if not overrides else annotated
    computed = in_cpython(originals)
    for document, original, code, values in zip(kept, originals, annotated, computed, strict=True):
        assert document["text"].startswith(rows[document["id"]]["user"].strip()), document["id"]
        assert document["metadata"]["program"]["result"] == values["result"], document["id"]
        assert document["metadata"]["program"]["assignments"] == len(values["steps"]), document["id"]
        if not overrides:
            assert comments(code) == expected_comments(original, values["steps"]), document["id"]
        else:
            for comment, step in zip(comments(code), values["steps"], strict=True):
                assert not step or f"{comment}  #".startswith(f"# {shown_values(step)}  #"), document["id"]


def rows_of(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        raw = zstandard.ZstdDecompressor().stream_reader(file).read()
    return [json.loads(line) for line in raw.split(b"\n") if line]


def program_of(answer: str) -> str:
    """The first function of an answer: from its `def` to the first line at which a return makes it whole."""
    lines = answer.split("\n")
    start = next(number for number, line in enumerate(lines) if line.startswith("def "))
    for end in range(start + 1, len(lines)):
        if lines[end].split()[:1] == ["return"]:
            code = "\n".join(lines[start : end + 1])
            try:
                ast.parse(code)
            except SyntaxError:
                continue
            return code
    raise AssertionError(f"no whole function in {answer!r}")


def in_cpython(programs: list[str]) -> list[dict[str, Any]]:
    command = [sys.executable, "-W", "ignore", "-I", "-S", str(SANDBOX)]
    ran = subprocess.run(command, input=json.dumps(programs), capture_output=True, text=True, check=True)
    values: list[dict[str, Any]] = json.loads(ran.stdout)
    return values


def assignments(code: str) -> list[ast.stmt]:
    function = ast.parse(code).body[0]
    assert isinstance(function, ast.FunctionDef)
    return [node for node in function.body if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign))]


def comments(code: str) -> list[str | None]:
    """The comment on the last line of each assignment."""
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    by_line = {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
    return [by_line.get(statement.end_lineno or 0) for statement in assignments(code)]


def expected_comments(original: str, steps: list[dict[str, str]]) -> list[str | None]:
    expected = []
    for own, step in zip(comments(original), steps, strict=True):
        own = own.rstrip() if own else own
        expected.append("  ".join(filter(None, [f"# {shown_values(step)}", own])) if step else own)
    return expected


def shown_values(step: dict[str, str]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in step.items()) if len(step) > 1 else next(iter(step.values()))
