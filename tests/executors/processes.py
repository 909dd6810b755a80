"""Whether other processes live, and waiting for what they do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


def is_alive(process: int) -> bool:
    """Does the process run? One that has ended does not, whether or not its parent has taken note."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:  # before it was opened, or before it was read
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def wait_until(true: Callable[[], object], seconds: float = 120) -> None:
    """Until `true()` is; fails after so many seconds."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"not so within {seconds:.0f} s"
        time.sleep(0.01)


def sigterm_ends(program: str, folder: Path) -> int:
    """The exit code of a Python program that got SIGTERM while it ran the command CHILD; the command has ended before it."""
    number = folder / "number"
    child = f"import os, pathlib, time; pathlib.Path({str(number)!r}).write_text(str(os.getpid())); time.sleep(600)"
    (folder / "child.py").write_text(child)
    command = [sys.executable, "-c", f"CHILD = {str(folder / 'child.py')!r}\n{program}"]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])})
    wait_until(lambda: number.exists() and number.read_text())
    process.terminate()
    code = process.wait(120)
    if is_alive(child_process := int(number.read_text())):
        os.kill(child_process, signal.SIGKILL)
        raise AssertionError(f"the program ended with {code}, and its command goes on")
    return code
