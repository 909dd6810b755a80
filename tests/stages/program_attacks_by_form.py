"""Attacks by what a program is made of: nesting, calls, attributes, statements, definitions; and by the size of the document."""

from __future__ import annotations

import builtins
import string

from dolmino_cli.stages.program_values import FUNCTIONS
from tests.stages.program_cases import CANARY, TOUCH, lines, program


def nesting() -> dict[str, tuple[str, str]]:
    """What makes a parser or a recursive evaluator overflow its stack, or take exponential time."""
    cases = {}
    for depth in (33, 64, 199, 201, 500, 1000, 2000):
        for opened, closed in ("()", "[]", "{}"):
            cases[f"{depth} times {opened}"] = (program(f"x = {opened * depth}1{closed * depth}"), "too_large")
            cases[f"{depth} times {opened}, not closed"] = (program(f"x = {opened * depth}1"), "too_large")
    for depth in (70, 500, 1500):
        for sign in ("-", "+", "not "):
            cases[f"{depth} times {sign.strip()}"] = (program(f"x = {sign * min(depth, 900)}1"), "too_large")
        cases[f"{depth} times ~"] = (program(f"x = {'~' * depth}1"), "expression")
        cases[f"{depth} attributes"] = (program(f"x = a{'.a' * depth}"), "attribute")
        cases[f"{depth} subscripts"] = (program(f"x = a{'[0]' * min(depth, 1000)}"), "expression")
        cases[f"{depth} sums"] = (program(f"x = {'1+' * depth}1"), "too_large")
        cases[f"{depth} powers"] = (program(f"x = {'1**' * min(depth, 1200)}1"), "too_large")
        cases[f"{depth} comparisons"] = (program(f"x = {'1<' * depth}1"), "too_large" if depth > 999 else "= False")
        cases[f"{depth} conditions"] = (program(f"x = {'1if 0else ' * min(depth, 390)}1"), "too_large")
        cases[f"{depth} lambdas"] = (program(f"x = {'lambda:' * min(depth, 500)}1"), "expression")
        cases[f"{depth} targets"] = (program(f"{'x=' * depth}1"), "= 1")
    for depth in (10, 31, 200):
        cases[f"{depth} calls in calls"] = (program(f"x = {'abs(' * depth}1{')' * depth}"), "too_large" if depth > 32 else "= 1")
        cases[f"{depth} blocks"] = (
            program(*(" " * level + "if 1:" for level in range(min(depth, 60))), " " * min(depth, 60) + "x = 1"),
            "control_flow",
        )
        cases[f"{depth} definitions"] = (
            program(*(" " * level + "def g():" for level in range(min(depth, 60))), " " * min(depth, 60) + "pass"),
            "statement",
        )
    cases["brackets in a comment"] = (program("x = 1  # " + "(" * 1000), "too_large")
    cases["brackets in a text"] = (program(f"s = '{'(' * 1000}'", "x = 1"), "too_large")
    cases["many brackets side by side"] = (program("x = " + "+".join(["(1)"] * 60)), "= 60")
    cases["120 levels of blocks"] = (program(*(" " * level + "if 1:" for level in range(120)), " " * 120 + "x = 1"), "too_large")
    cases["f-strings in f-strings"] = (program("""x = f"{f'{1}'}" """), "expression")
    cases["quotes without end"] = (program("x = '" + "'" * 1000), "not_python")
    return cases


def reaching_out() -> dict[str, tuple[str, str]]:
    """Ways to files, modules and the interpreter."""
    cases = lines(
        {
            TOUCH: "call",
            "__import__('os')": "call",
            f"__import__('os').system('touch {CANARY}')": "call",
            "__import__": "undefined_name",
            "__builtins__": "undefined_name",
            "__builtins__.open": "attribute",
            "__builtins__['open']": "expression",
            "__name__": "undefined_name",
            "__debug__": "undefined_name",
            "().__class__": "attribute",
            "().__class__.__bases__[0].__subclasses__()": "call",
            "().__class__.__bases__[0]": "expression",
            "(1).__class__.__base__": "attribute",
            "''.__class__.__mro__": "attribute",
            "(1).real": "attribute",
            "1 .bit_length": "attribute",
            "1.5.is_integer()": "call",
            "f.__globals__": "attribute",
            "f.__code__.co_code": "attribute",
            "max.__self__": "attribute",
            "max.__self__.open": "attribute",
            "max": "undefined_name",
            "f": "undefined_name",
        }
    )
    cases["in a comment"] = (program(f"x = 1  # {TOUCH}"), "= 1")
    cases["in the docstring"] = (program(f'"""{TOUCH}"""', "x = 1"), "= 1")
    cases["behind the docstring"] = (program(f'"""What?"""; {TOUCH}', "x = 1"), "call")
    cases["behind a semicolon"] = (program(f"x = 1; {TOUCH}"), "call")
    cases["in the annotation of a variable"] = (program(f"x: {TOUCH} = 1"), "expression")
    cases["in the annotation of the result"] = (f"How many?\ndef f() -> {TOUCH}:\n    x = 1\n    return x", "signature")
    cases["in the result"] = (program("x = 1", result=TOUCH), "call")
    cases["in a loop that never runs"] = (program("x = 1", "while False:", f"    {TOUCH}"), "control_flow")
    return cases


def calling() -> dict[str, tuple[str, str]]:
    """Calls within expressions, and statements that reach out where they assign."""
    return lines(
        {
            "f()": "call",
            "(lambda: 1)()": "call",
            f"(lambda: {TOUCH})()": "call",
            "lambda: 1": "expression",
            "(y := 1)": "expression",
            f"1 or {TOUCH}": "call",
            f"0 and {TOUCH}": "call",
            f"1 if True else {TOUCH}": "call",
            f"{TOUCH} if False else 1": "call",
            f"1 > 2 > {TOUCH}": "call",
            f"max(1, {TOUCH})": "call",
            "max(1, key=print)": "call",
            "max(1, 2, default=3)": "call",
            "int(x=1)": "call",
            "max(*(1, 2))": "expression",
            "max(**{})": "call",
            "max(1)": "call",
            "max()": "call",
            "int()": "call",
            "int(1, 2)": "call",
            "round(1, 2, 3)": "call",
            "abs(1, 2)": "call",
            "math.sqrt(4)": "call",
            "math.pi": "attribute",
            "os.environ": "attribute",
            "sys.modules['os']": "expression",
            "(yield)": "expression",
            "(yield 1)": "expression",
            "(yield from (1, 2))": "expression",
            "await g": "expression",
            "1; x.y = 2": "attribute",
            "1; x[0] = 2": "expression",
            "1; f.__code__ = x": "attribute",
        }
    )


def around() -> dict[str, tuple[str, str]]:
    """Code before and behind the function, which is left behind."""
    cases = {}
    before = ("import os", "from os import *", "import os as math", f"{TOUCH}", f"x = {TOUCH}", f"print({TOUCH})")
    for line in before:
        cases[f"before the function: {line}"] = (f"How many?\n{line}\n{program('x = 1').partition(chr(10))[2]}", "= 1")
    for line in (f"import os; os.system('touch {CANARY}')", TOUCH, "f()", f"f.__code__ = {TOUCH}"):
        cases[f"behind the function: {line}"] = (f"{program('x = 1')}\n{line}", "= 1")
    return cases


def callables() -> dict[str, tuple[str, str]]:
    """Every built-in function and type, called with a text, with a number and by way of a variable."""
    cases = {}
    for name in sorted(vars(builtins)):
        if callable(getattr(builtins, name)) and name not in FUNCTIONS and not name.startswith("_"):
            cases[f"{name}(TEXT)"] = (program(f"x = {name}({TOUCH!r})"), "call")
            cases[f"{name}(10 ** 10)"] = (program(f"x = {name}(10 ** 10)"), "call")
    for name in FUNCTIONS:
        cases[f"{name} = 1"] = (program(f"{name} = 1", f"x = {name}(2, 3)"), "call")
        cases[f"{name} as a value"] = (program(f"y = {name}", "x = y(1)"), "call")
    return cases


def constructs() -> dict[str, tuple[str, str]]:
    """Statements that are no assignments."""
    flow = [
        "if x:\n        x = 2",
        "for i in range(10 ** 12):\n        x = 2",
        "while True:\n        x = 2",
        f"try:\n        x = 2\n    except ValueError:\n        {TOUCH}",
        "try:\n        x = 2\n    except* ValueError:\n        x = 3",
        f"with {TOUCH} as x:\n        x = 2",
        f"match x:\n        case 1:\n            {TOUCH}",
        "assert x",
        "raise SystemExit",
        "return x",
        "break",
        "continue",
    ]
    other = [
        "del x",
        "global x",
        "nonlocal x",
        "pass",
        f"def g(a={TOUCH}):\n        x = 2",
        f"class G:\n        y = {TOUCH}",
        "class G(f().__class__):\n        pass",
        f"@{TOUCH}\n    def g():\n        pass",
        "async def g():\n        pass",
        "x: int",
        "'a text'",
        "x",
        "x == 2",
    ]
    cases = {line.split("\n")[0]: (program("x = 1", line), "control_flow") for line in flow}
    cases |= {line.split("\n")[0]: (program("x = 1", line), "statement") for line in other}
    cases |= {line: (program("x = 1", line), "import") for line in ("import os", "from os import system", "from . import os")}
    cases["print(x)"] = (program("x = 1", "print(x)"), "call")
    cases["exec in place"] = (program("x = 1", f"exec({TOUCH!r})"), "call")
    cases["async for"] = (program("async for i in x:\n        x = 1"), "control_flow")
    cases["async with"] = (program("async with x:\n        x = 1"), "control_flow")
    cases["a list of targets"] = (program("[x, y] = 1, 2"), "expression")
    cases["a starred target"] = (program("*x, y = 1, 2"), "expression")
    cases["targets in targets"] = (program("x, (y, z) = 1, 2"), "expression")
    cases["too few values"] = (program("x, y = 1, 2, 3"), "not_a_number")
    cases["values of a number"] = (program("x, y = 12"), "not_a_number")
    cases["assigning to None"] = (program("None = 1"), "not_python")
    cases["assigning to __debug__"] = (program("__debug__ = 1", "x = 1"), "not_python")
    cases["a goto of its own"] = (program("goto .x"), "attribute")
    cases["Python 2"] = (program('print "x"'), "not_python")
    return cases


def functions() -> dict[str, tuple[str, str]]:
    """Definitions that do something when they are made."""
    heads = {
        f"def f(a={TOUCH}):": "signature",
        "def f(a):": "signature",
        "def f(*a):": "signature",
        "def f(**a):": "signature",
        "def f(*, a=9 ** 9 ** 9):": "signature",
        "def f(a, /):": "signature",
        f"def f(a: {TOUCH}):": "signature",
        "def f() -> List[int]:": "signature",
        "def f() -> Decimal:": "signature",
        "def f() -> 'text':": "signature",
        "def f() -> 9 ** 9 ** 9:": "signature",
        "def f() -> f():": "signature",
        "def __debug__():": "signature",
        "async def f():": "signature",
        f"@{TOUCH}\ndef f():": "signature",
        "@f\n@f\ndef f():": "signature",
        "def f(" + ", ".join(f"a{number}=0" for number in range(999)) + "):": "too_large",
        "def f": "not_python",
        "def 1():": "not_python",
        "def f() -> None:": "= 1",
        "def f():": "= 1",
    }
    cases = {head[:40]: (f"How many?\n{head}\n    x = 1\n    return x", reason) for head, reason in heads.items()}
    cases["recursion"] = (program("x = 1", result="f()"), "call")
    cases["recursion by lambda"] = (program("x = (lambda g: g(g))(lambda g: g(g))"), "call")
    cases["nothing returned"] = (program("x = 1", result=""), "no_result")
    cases["None returned"] = (program("x = None"), "no_result")
    cases["no return"] = ("How many?\ndef f():\n    x = 1", "no_result")
    cases["no body"] = ("How many?\ndef f():", "not_python")
    cases["no function"] = (f"How many?\n```python\n{TOUCH}\n```", "no_code")
    cases["a class with a method"] = (f"How many?\nclass A:\n    y = {TOUCH}\n    def f(self):\n        return 1", "no_code")
    cases["all on one line"] = ("How many?\ndef f(): x = 1; return x", "= 1")
    cases["a line that goes on"] = (program("x = 1 \\", ""), "statement")
    return cases


def floods() -> dict[str, tuple[str, str]]:
    """Documents of a megabyte and more."""
    many = 1 << 20
    head = "How many?\ndef f():\n"
    docstring = 'def f():\n    """What is it?"""\n    return 1'
    return {
        "words and a docstring": ("x " * (many // 2) + "\n" + docstring, "= 1"),
        "4 MB of words and a docstring": ("x " * (2 * many) + "\n" + docstring, "too_large"),
        "4 MB of carriage returns": ("\r" * (4 * many), "too_large"),
        "carriage returns": ("\r" * (5 * many // 4 - 100) + docstring, "= 1"),
        "beginnings of functions": ("\nasync de" * (many // 9) + "\n" + docstring, "= 1"),
        "lines and a docstring": ("a:\n" * (many // 3) + docstring, "= 1"),
        "as long as it may be": ("x " * (5 * many // 8 - 40) + "\n" + docstring, "= 1"),
        "one long line": (f"{head}    x = {'1+' * many}1\n    return x", "too_large"),
        "many lines": (head + "    x = 1\n" * (many // 10) + "    return x", "too_large"),
        "many short assignments": (head + "    a=1\n" * 500 + "    return a", "= 1"),
        "many digits": (f"{head}    x = {'9' * many}\n    return x", "too_large"),
        "decorators": ("@f\n" * (many // 3) + "def f():\n    return 1", "signature"),
        "functions": ("def f():\n    return f()\n" * (many // 24), "call"),
        "a docstring without end": (f'{head}    """{"a " * many}', "too_large"),
        "quotes": (head + '    """"' * (many // 8), "too_large"),
        "blank lines": (head + "\n" * many + "    return 1", "too_large"),
        "white space": (head + " " * many, "too_large"),
        "lines of white space": (head + "   \n" * (many // 4), "too_large"),
        "fences": ("How many?\n" + "```\n" * (many // 4), "no_code"),
        "colons": ("How many?\n" + ": " * (many // 2) + "\ndef f():\n    return 1", "= 1"),
        "returns": (head + "return\n" * (many // 7), "not_python"),
        "comments": (head + "    # (((\n" * (many // 10) + "    return 1", "too_large"),
        "letters": (string.ascii_letters * (many // 52), "no_code"),
    }
