"""A command that this process runs and waits for: it does not go on when this process is told to end."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

_TERMINATED = 128 + signal.SIGTERM  # as shells have it


def run_child(words: Sequence[str], **how: Any) -> subprocess.CompletedProcess[Any]:
    """As `subprocess.run(words, **how)`, but SIGTERM to this process ends both; here it raises SystemExit.

    At SIGTERM, Ctrl-C or an error here the command is asked to end, and waited for: a trainer writes a checkpoint. A second
    one ends the waiting. In a thread that is not the main one, which signals do not reach, SIGTERM does what it did before.
    """
    asked = waiting = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        if waiting:
            sys.exit(_TERMINATED)

    with _at_sigterm(stop):
        process = subprocess.Popen(words, **how)
        try:
            waiting = True
            if asked:  # while the command was being started: an exception there would lose it
                sys.exit(_TERMINATED)
            out, err = process.communicate()
        except BaseException:
            process.send_signal(signal.SIGTERM)
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()  # it must not wait for somebody to read what it says now
            process.wait()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@contextmanager
def _at_sigterm(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
