"""Whether other processes live, and waiting for what they do."""

from __future__ import annotations

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
