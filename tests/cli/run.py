"""Run the command as the shell does, in this process."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from dolmino_cli.cli.main import main


@dataclass(frozen=True, kw_only=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that says what went wrong."""
        lines = [line for line in self.err.splitlines() if line.startswith("dolmino: error: ")]
        assert len(lines) == 1, self.err
        return lines[0].removeprefix("dolmino: error: ")


def dolmino(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> Outcome:
    monkeypatch.setattr(sys, "argv", ["dolmino", *map(str, arguments)])
    code = main()
    captured = capsys.readouterr()
    return Outcome(code=code, out=captured.out, err=captured.err)
