"""Attacks by values: numbers and texts that take long or much, and what has no value."""

from __future__ import annotations

from tests.stages.program_cases import TOUCH, lines, program


def powers() -> dict[str, tuple[str, str]]:
    """Numbers that take long or much."""
    cases = lines(
        {
            "9 ** 9 ** 9": "magnitude",
            "10 ** 1000000000": "magnitude",
            "2 ** 2 ** 100": "magnitude",
            "(10 ** 38) ** (10 ** 38)": "magnitude",
            "(-7) ** 99999999999": "magnitude",
            "3 ** 3 ** 3 ** 3": "magnitude",
            "2 ** 128": "magnitude",
            "2 ** 127": f"= {2**127}",
            "2.0 ** 100000": "magnitude",
            "1e308 * 10": "magnitude",
            "10 ** -1000000000": "= 0.0",
            "1 ** 10 ** 37": "= 1",
            "(-1) ** 10 ** 37": "= 1",
            "0 ** 10 ** 37": "= 0",
            "True ** 10 ** 37": "= 1",
            "2 ** 0.5 ** 2 ** 100": "= 1.0",
            "1 << 1000000000": "expression",
            "1 >> -1": "expression",
            "1 << 64 << 64": "expression",
            "7 ^ 2": "expression",
            "7 & 2": "expression",
            "7 | 2": "expression",
            "~7": "expression",
            "7 @ 2": "expression",
            "round(1, -1000000000)": "magnitude",
            "round(12.5, 1000000000)": "magnitude",
            "round(10 ** 30, -101)": "magnitude",
            "round(1.5, 0.5)": "not_a_number",
            "int(1e308)": "magnitude",
            "1e999": "magnitude",
            "-1e999": "magnitude",
            "1e308 + 1e308 - 1e308": "magnitude",
            "1e308 // 1e-308": "magnitude",
            "0x" + "f" * 2000: "magnitude",
            "9" * 39: "magnitude",
            "9" * 3000: "magnitude",
            "1" + "_1" * 1500: "magnitude",
            "0b" + "1" * 129: "magnitude",
            "5; x **= x; x **= x; x **= x": "magnitude",
            "5; x *= x" + "; x *= x" * 100: "magnitude",
            "9" * 38 + "; x += x" * 100: "magnitude",
            "5; x <<= 1000000000": "expression",
            "5; x @= 2": "expression",
        }
    )
    for height in range(2, 9):
        cases[f"tower of {height}"] = (program("x = " + " ** ".join(["9"] * height)), "magnitude" if height > 2 else f"= {9**9}")
    for name, doubled in {"by squaring": "a * a", "by powers": "a ** a", "by sums of products": "a * a + a * a"}.items():
        cases[f"growing {name}"] = (program("a = 3", *[f"a = {doubled}"] * 60, result="a"), "magnitude")
    return cases


def texts() -> dict[str, tuple[str, str]]:
    """Texts, lists and tuples that would become long."""
    cases = lines(
        {
            "'a' * 1000000000": "not_a_number",
            "1000000000 * 'a'": "not_a_number",
            "'a' + 'a'": "not_a_number",
            "'%1000000000d' % 1": "not_a_number",
            "'%*d' % (1000000000, 1)": "not_a_number",
            "f'{1:1000000000}'": "expression",
            "f'{9 ** 9 ** 9}'": "expression",
            f"f'{{{TOUCH.replace(chr(39), chr(34))}}}'": "expression",
            "'{:1000000000}'.format(1)": "call",
            "'a'.ljust(1000000000)": "call",
            "','.join('a')": "call",
            "b'a' * 1000000000": "expression",
            "int('9' * 5000)": "not_a_number",
            "int('" + "9" * 3000 + "')": "not_a_number",
            "float('1' * 1000)": "not_a_number",
            "str(10 ** 30)": "call",
            "[0] * 1000000000": "expression",
            "[[0] * 1000] * 1000000": "expression",
            "(0,) * 1000000000": "not_a_number",
            "(1, 2) + (3, 4)": "not_a_number",
            "{0: 1}": "expression",
            "{0, 1}": "expression",
            "{**{}}": "expression",
            "[*[1]]": "expression",
            "(*(1, 2), 3)": "expression",
            "(1, 2)[0]": "expression",
            "'abc'[::-1]": "expression",
            "(1, (2, 3))": "not_a_number",
            "('a', 'b')": "not_a_number",
            "(1, 2, 3, 4, 5, 6, 7, 8, 9)": "magnitude",
            "(" + "1, " * 900 + ")": "magnitude",
            "...": "expression",
            "'" + "a" * 3000 + "'": "no_result",
            "'a' < 'b'": "not_a_number",
            "(1, 2) < (1, 3)": "not_a_number",
        }
    )
    cases["a list doubled"] = (program("a = [0]", *["a = a + a"] * 40, result="a"), "expression")
    cases["a list doubled in place"] = (program("a = [0]", *["a += a"] * 40, result="a"), "expression")
    cases["a tuple doubled"] = (program("a = (0,)", *["a = a + a"] * 40, result="a"), "not_a_number")
    cases["a tuple of tuples"] = (program("a = (0, 0)", *["a = (a, a)"] * 40, result="a"), "not_a_number")
    cases["an alias"] = (program("a = [0]", "b = a", "b.append(b)", result="b"), "expression")
    cases["a text doubled"] = (program("a = 'a'", *["a = a + a"] * 40, result="1"), "not_a_number")
    cases["a dictionary of billions"] = (program("x = {i: i for i in range(10 ** 9)}"), "comprehension")
    cases["a set of billions"] = (program("x = {i for i in range(10 ** 9)}"), "comprehension")
    cases["a list of billions"] = (program("x = [0 for i in range(10 ** 9)]"), "comprehension")
    cases["a generator of billions"] = (program("x = (0 for i in range(10 ** 9))"), "comprehension")
    cases["comprehensions in each other"] = (
        program("x = [[[0 for c in range(9999)] for b in range(9999)] for a in range(9999)]"),
        "comprehension",
    )
    cases["a generator consumed"] = (program("x = max(i for i in range(10 ** 12))"), "comprehension")
    return cases


def not_numbers() -> dict[str, tuple[str, str]]:
    """What Python refuses to compute, and numbers that are none."""
    return lines(
        {
            "1 / 0": "arithmetic_error",
            "1 // 0": "arithmetic_error",
            "1 % 0": "arithmetic_error",
            "1.5 / 0.0": "arithmetic_error",
            "1 / False": "arithmetic_error",
            "0 ** -1": "arithmetic_error",
            "0.0 ** -1": "arithmetic_error",
            "(-8) ** 0.5": "arithmetic_error",
            "(-8) ** (1 / 3)": "arithmetic_error",
            "1j": "expression",
            "1j * 1j": "expression",
            "complex(1, 2)": "call",
            "float('nan')": "not_a_number",
            "float('inf')": "not_a_number",
            "1 + 'a'": "not_a_number",
            "1 + None": "not_a_number",
            "-'a'": "not_a_number",
            "-None": "not_a_number",
            "y": "undefined_name",
            "x": "undefined_name",
            "1 + y": "undefined_name",
            "1; y += 1": "undefined_name",
            "1 is 1": "expression",
            "1 in (1, 2)": "expression",
            "1 or 1 / 0": "= 1",
            "0 and y": "= 0",
            "1 if 1 else 1 / 0": "= 1",
            "1 > 2 > 1 / 0": "= False",
        }
    )


def odd_characters() -> dict[str, tuple[str, str]]:
    """Names that look like others, characters that a reader does not see, line ends that Python knows."""
    cases = lines(
        {
            "\uff45\uff58\uff45\uff43('1')": "call",  # full width: Python reads exec
            "\uff4d\uff41\uff58(1, 2)": "= 2",  # full width: Python reads max
            "m\u0430x(1, 2)": "call",  # a Cyrillic a
            "1\u200b": "not_python",
            "1\u202e": "not_python",
            "1\u00a0+ 1": "not_python",
            "\ufeff1": "not_python",
            "1\0": "not_python",
            "\x1a1": "not_python",
            "\u0661": "not_python",
            "\U0001f600": "not_python",
            "'\\N{LATIN SMALL LETTER A}'": "no_result",
            "'\\N{NO SUCH NAME}'": "not_python",
            "'\\x1'": "not_python",
            "1 \f+ 1": "= 2",
            "1  # \u2028 import os": "= 1",
        }
    )
    cases["carriage returns"] = (program("x = 1", "y = 2").replace("\n", "\r"), "= 1")
    cases["an import behind a carriage return"] = (program(f"x = 1  # no comment\r    {TOUCH}"), "call")
    cases["a call behind a form feed"] = (program(f"x = 1\n\f    {TOUCH}"), "no_result")
    cases["an encoding cookie"] = (program("# -*- coding: utf-7 -*-", "x = 1  # +AAo-import os"), "= 1")
    cases["names beyond ASCII"] = (program("größe = 2", "x = größe * 2"), "= 4")
    cases["tabs and spaces"] = ("How many?\ndef f():\n\tx = 1\n        y = 2\n\treturn x", "not_python")
    return cases
