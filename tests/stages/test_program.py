"""`program`: what is found, kept and refused, and how values stand beside assignments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dolmino_cli.errors import ConfigError
from dolmino_cli.recipe import load_recipe
from dolmino_cli.stages.program import Program
from tests.stages.conftest import batch_of
from tests.stages.program_cases import program

PROBLEM = "Ana has 3 bags of 4 apples and eats 1. How many are left?"
BODY = """\
    bags = 3
    apples = bags * 4  # four in each
    result = apples - 1
    return result"""
CODE = f"def simple_math_problem() -> int:\n{BODY}"
ANNOTATED = f"""\
{PROBLEM}
def simple_math_problem() -> int:
    bags = 3  # 3
    apples = bags * 4  # 12  # four in each
    result = apples - 1  # 11
    return result"""


def outcome(text: str, **parameters: Any) -> str:
    """What becomes of one document: its text, or the reason that it is dropped for in angle brackets."""
    stage = Program(**parameters)
    edited = stage.edit(batch_of(text))
    number = int(edited.dropped[0])
    return f"<{stage.reasons[number]}>" if number >= 0 else edited.text[0].as_py()


def body(*lines: str, **parameters: Any) -> list[str]:
    """The annotated lines of a function's body, without its return."""
    return [line.removeprefix("    ") for line in outcome(program(*lines, result="1"), **parameters).split("\n")[2:-1]]


def test_a_document_gets_values_a_new_id_and_its_result() -> None:
    edited = Program().edit(batch_of(f"{PROBLEM}\n{CODE}", "no program", f"{PROBLEM}\n{CODE}"))
    assert edited.text.to_pylist()[::2] == [ANNOTATED, ANNOTATED]
    assert edited.id.to_pylist()[::2] == ["d1/annotated", "d3/annotated"]
    assert edited.metadata == [{"program": {"result": "11", "assignments": 3}}, None, *edited.metadata[:1]]
    assert edited.dropped.tolist() == [-1, Program().reasons.index("no_code"), -1]
    assert (edited.dropped.dtype, str(edited.text.type), str(edited.id.type)) == (np.int32, "large_string", "large_string")


@pytest.mark.parametrize(
    "answer",
    [
        f"```python\n{CODE}\n```",
        f"```\n{CODE}\n```\nThis multiplies, and then subtracts.",
        f"```python\n{CODE}",
        f"### Solution\n\nSome words.\n```python\n{CODE}\n```\n\n```python\n{CODE}\n```",
        f"Here is the code:\n\n{CODE}\n\nprint(simple_math_problem())",
        f"import math\n\n{CODE}\n\n# Example usage:\nresult = simple_math_problem()",
        f"{CODE}\n\n\n\n    # and more",
        f"### User:\n{PROBLEM}\n{CODE}\n```",
        CODE.replace("\n", "\r\n"),
    ],
)
def test_what_stands_around_the_function_is_left_behind(answer: str) -> None:
    assert outcome(f"{PROBLEM}\n{answer}") == ANNOTATED


@pytest.mark.parametrize("quotes", ['"""', "'''"])
@pytest.mark.parametrize(
    "repeated", [PROBLEM, f"\n    {PROBLEM}\n    ", f"\n{PROBLEM}\n", PROBLEM.replace(" apples", "\napples")]
)
def test_a_docstring_that_only_repeats_the_problem_goes(repeated: str, quotes: str) -> None:
    head, _, rest = CODE.partition("\n")
    assert outcome(f"{PROBLEM}\n{head}\n    {quotes}{repeated}{quotes}\n    \n{rest}") == ANNOTATED
    assert outcome(f"Student: {PROBLEM}\n{head}\n    {quotes}{repeated}{quotes}\n{rest}") == f"Student: {ANNOTATED}"


def test_a_docstring_that_says_something_else_stays() -> None:
    lines = ["def f():", '    """Count apples."""', "    x = 1", "    return x"]
    assert outcome("\n".join([PROBLEM, *lines])).split("\n")[1:] == [*lines[:2], "    x = 1  # 1", lines[3]]
    assert outcome("\n".join(lines)).split("\n") == [*lines[:2], "    x = 1  # 1", lines[3]], "no problem before the function"


def test_the_problem_may_have_several_lines() -> None:
    assert outcome(f"Ana has 2.\n\nHow many?\n{CODE}").split("\n")[:4] == ["Ana has 2.", "", "How many?", CODE.split("\n")[0]]


def test_values_stand_as_python_writes_them() -> None:
    assert body(
        "a = 7", "b = a / 2", "c = 0.1 + 0.2", "d = 1e16", "e = a > 3", "f = a // 2 * 10 ** 20", "g = -a % 3", "h = -0.0"
    ) == [
        "a = 7  # 7",
        "b = a / 2  # 3.5",
        "c = 0.1 + 0.2  # 0.30000000000000004",
        "d = 1e16  # 1e+16",
        "e = a > 3  # True",
        "f = a // 2 * 10 ** 20  # 300000000000000000000",
        "g = -a % 3  # 2",
        "h = -0.0  # -0.0",
    ]


def test_several_names_stand_with_their_values() -> None:
    assert body("a, b = 2, 3", "c = d = a + b", "e = 1; f = e + 1;  # two", "t = (a, b / 2)", "a, b = b, a") == [
        "a, b = 2, 3  # a = 2, b = 3",
        "c = d = a + b  # c = 5, d = 5",
        "e = 1; f = e + 1;  # e = 1, f = 2  # two",
        "t = (a, b / 2)  # (2, 1.5)",
        "a, b = b, a  # a = 3, b = 2",
    ]


def test_a_statement_over_several_lines_has_its_value_on_the_last() -> None:
    assert body("a = (1 +", "     2  # two", ")  # done", "b = 1; c = (", "  2)") == [
        "a = (1 +",
        "     2  # two",
        ")  # 3  # done",
        "b = 1; c = (",
        "  2)  # b = 1, c = 2",
    ]


def test_augmented_and_annotated_assignments_count() -> None:
    assert body("a: float = 3", "a += 1", "a **= 2", "a //= 3", "a -= 0.5") == [
        "a: float = 3  # 3",
        "a += 1  # 4",
        "a **= 2  # 16",
        "a //= 3  # 5",
        "a -= 0.5  # 4.5",
    ]


def test_what_is_no_number_gets_no_comment() -> None:
    assert body("name = 'Ana'", "nothing = None", "a = 1  # one") == ["name = 'Ana'", "nothing = None", "a = 1  # 1  # one"]


def test_marks_of_comments_within_texts_are_none() -> None:
    assert body("s = '# no comment'; a = 1", 's = "é # é"; a = 2  # é') == [
        "s = '# no comment'; a = 1  # 1",
        's = "é # é"; a = 2  # 2  # é',
    ]


def test_calls_of_numbers_are_allowed_unless_asked() -> None:
    assert body(
        "a = round(2.5)", "b = int(7 / 2)", "c = max(a, b, 1.5)", "d = min(abs(-2), float(3))", "e = round(2.675, 2)"
    ) == [
        "a = round(2.5)  # 2",
        "b = int(7 / 2)  # 3",
        "c = max(a, b, 1.5)  # 3",
        "d = min(abs(-2), float(3))  # 2",
        "e = round(2.675, 2)  # 2.67",
    ]
    assert outcome(program("x = round(2.5)"), calls="none") == "<call>"


UNINDENTED = f'''{PROBLEM}
```python
def simple_math_problem() -> int:
"""
{PROBLEM}
"""
bags = 3
apples = bags * 4  # four in each

result = apples - 1
return result

print(simple_math_problem())
```'''


def test_a_body_without_indentation_does_not_run_and_is_mended_on_request() -> None:
    assert outcome(UNINDENTED) == "<not_python>"
    assert outcome(UNINDENTED, reindent=True) == ANNOTATED.replace("each\n", "each\n\n")
    assert outcome(UNINDENTED.replace("return result", ""), reindent=True) == "<call>", "without a return to end at"
    assert outcome(UNINDENTED.replace("bags = 3", "if True:\n    bags = 3"), reindent=True) == "<not_python>"
    assert outcome(f"{PROBLEM}\n{CODE}", reindent=True) == ANNOTATED, "what runs stays as it is"


def test_an_answer_that_was_cut_off_has_no_result() -> None:
    assert outcome(f"{PROBLEM}\n{CODE.removesuffix('    return result')}") == "<no_result>"
    assert outcome(f"{PROBLEM}\n{CODE.partition(' - 1')[0]} -") == "<not_python>"
    assert outcome(f'{PROBLEM}\ndef f():\n    """\n    Ana has') == "<not_python>"


def test_reasons_are_met_from_the_top() -> None:
    assert outcome(program("x = y", "import os")) == "<import>", "what a program is made of comes before what it computes"
    assert outcome(program("x = 1 / 0", "x = y")) == "<arithmetic_error>"
    assert outcome(program("print(1)", "import os")) == "<call>"


def test_reasons_are_distinct_and_in_the_contract() -> None:
    reasons = Program().reasons
    assert len(set(reasons)) == len(reasons) == 16
    assert Program().prepare().keys() == {"python"}


def test_an_unknown_choice_of_calls_is_refused(tmp_path: Any) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("name: r\nstages:\n  - program: {calls: all}\n")
    with pytest.raises(ConfigError, match=r"r\.yaml:3: .*calls: 'all' given; allowed: numeric, none"):
        load_recipe(recipe)
