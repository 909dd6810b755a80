"""How an attack is written down: whole texts of documents, or the value that one variable gets."""

from __future__ import annotations

CANARY = "program-canary"
"""The file, in the working directory, that a program would make if anything of it were executed."""

TOUCH = f"open({CANARY!r}, 'w')"


def program(*lines: str, result: str = "x") -> str:
    """A problem and the function that these lines are the body of."""
    return "\n".join(["How many?", "def f() -> int:", *(f"    {line}" for line in lines), f"    return {result}"])


def lines(cases: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Programs that give x this value (and go on behind a semicolon), with what becomes of each."""
    return {value: (program(*f"x = {value}".split("; ")), reason) for value, reason in cases.items()}
