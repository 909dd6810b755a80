"""A command does not go on when the process that waits for it is told to end, and may end in its own way."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dolmino_cli.executors import child
from dolmino_cli.executors.child import run_child
from tests.executors.processes import sigterm_ends


def test_what_it_said_and_how_it_ended_are_returned() -> None:
    before = signal.getsignal(signal.SIGTERM)
    said = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    done = run_child([sys.executable, "-c", said], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 3)
    assert signal.getsignal(signal.SIGTERM) == before


def test_sigterm_ends_both(tmp_path: Path) -> None:
    program = "import sys; from dolmino_cli.executors.child import run_child; run_child([sys.executable, CHILD])"
    assert sigterm_ends(program, tmp_path) == 128 + signal.SIGTERM


def test_sigterm_while_it_is_started_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, words: list[str]) -> None:
            super().__init__(words)
            started.append(self)
            signal.raise_signal(signal.SIGTERM)

    started: list[subprocess.Popen[bytes]] = []
    monkeypatch.setattr(child.subprocess, "Popen", Slow)
    with pytest.raises(SystemExit, match=str(128 + signal.SIGTERM)):
        run_child([sys.executable, "-c", "import time; time.sleep(600)"])
    assert started[0].returncode == -signal.SIGTERM


def test_its_own_end_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(subprocess.Popen):  # type: ignore[type-arg]
        def communicate(self) -> None:  # type: ignore[override]
            assert self.stdout.readline()
            raise KeyboardInterrupt

    monkeypatch.setattr(child.subprocess, "Popen", Interrupted)
    end = f"lambda *_: (time.sleep(0.1), open({str(tmp_path / 'checkpoint')!r}, 'w'), sys.exit())"
    words = f"import signal, sys, time; signal.signal(signal.SIGTERM, {end}); print('ready', flush=True); time.sleep(600)"
    with pytest.raises(KeyboardInterrupt):
        run_child([sys.executable, "-c", words], stdout=subprocess.PIPE)
    assert (tmp_path / "checkpoint").exists()
