"""The steps of one microanneal: commands with a log each, and what of them is done, known by hashes."""

from __future__ import annotations

import hashlib
import json
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from dolmino_cli.errors import RunFailed
from dolmino_cli.train.checkpoint_files import read_json_if_there
from dolmino_cli.train.evaluation.metric_command import tail_of
from dolmino_cli.train.whole_file import write_whole

_LAST_LINES = 3


def run_logged(words: Sequence[str], log: Path) -> None:
    """Run a command whose output goes to the end of a log. Raises RunFailed with its last lines where it fails.

    A command that is running when this process is interrupted is asked to end, and waited for: a trainer writes a checkpoint.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            file.write(f"$ {shlex.join(words)}\n".encode())
            file.flush()
            start = file.tell()
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
    except OSError as error:
        raise RunFailed(f"{shlex.join(words)}: cannot be run: {error.strerror or error}") from None
    try:
        with _interrupted_by_sigterm():
            code = process.wait()
    except BaseException:
        process.send_signal(signal.SIGTERM)
        process.wait()
        raise
    if code != 0:
        with log.open("rb") as file:
            file.seek(start)
            said = tail_of(file.read().decode(errors="replace"), _LAST_LINES)
        raise RunFailed(f"{words[-2]} {words[-1]} ended with {code}: {said} (all of it: {log})")


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Within the block, SIGTERM raises SystemExit: without, this process would end and its command go on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Done:
    """`done.json` of a folder: for every step that is done, by what, and what it gave."""

    def __init__(self, folder: Path) -> None:
        """Read what is there."""
        self.path = folder / "done.json"
        self.steps: dict[str, Any] = read_json_if_there(self.path) or {}

    def once(self, step: str, of: object, make: Callable[[], Any]) -> Any:
        """What `make` gives, or gave before for an equal `of`; written as soon as it is there."""
        key = hashlib.sha256(json.dumps(of, sort_keys=True, default=str).encode()).hexdigest()
        if (known := self.steps.get(step)) is not None and known["key"] == key:
            return known["gave"]
        started = time.monotonic()
        gave = make()
        self.steps[step] = {"key": key, "seconds": round(time.monotonic() - started, 1), "gave": gave}
        write_whole(self.path, json.dumps(self.steps, indent=1) + "\n")
        return gave
