"""Of a process that a file is marked with, whether it has ended: known, or not to be told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

from dolmino_cli.shards.owner import is_gone, owner


def test_this_process_lives_and_one_that_had_its_number_before_is_gone() -> None:
    machine, pid, started = owner().split("-")
    assert is_gone(owner()) is False
    assert is_gone(f"{machine}-{pid}-{int(started, 16) - 1:x}") is True
    assert is_gone(f"{machine}-0-1") is True
    assert is_gone(f"0badcafe-{pid}-{started}") is None


@pytest.mark.parametrize("said", [PermissionError, FileNotFoundError], ids=["hidepid=1", "hidepid=2"])
def test_a_process_of_another_user_that_proc_hides_is_not_gone(said: type[OSError], monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = owner()

    def refuse(*_: object) -> NoReturn:
        raise PermissionError

    def hide(path: Path) -> NoReturn:
        raise said(str(path))

    monkeypatch.setattr(os, "kill", refuse)
    monkeypatch.setattr(Path, "read_text", hide)
    assert is_gone(hidden) is None
