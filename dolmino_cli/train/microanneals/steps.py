"""The steps of one microanneal: commands with a log each, and what of them is done, known by hashes."""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dolmino_cli.errors import RunFailed
from dolmino_cli.executors.child import run_child
from dolmino_cli.train.checkpoint_files import read_json_if_there
from dolmino_cli.train.evaluation.metric_command import tail_of
from dolmino_cli.train.whole_file import write_whole

_LAST_LINES = 3


def run_logged(words: Sequence[str], log: Path) -> None:
    """Run a command whose output goes to the end of a log. Raises RunFailed with its last lines where it fails.

    It ends with this process: see `run_child`.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            file.write(f"$ {shlex.join(words)}\n".encode())
            file.flush()
            start = file.tell()
            code = run_child(words, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT).returncode
    except OSError as error:
        raise RunFailed(f"{shlex.join(words)}: cannot be run: {error.strerror or error}") from None
    if code != 0:
        with log.open("rb") as file:
            file.seek(start)
            said = tail_of(file.read().decode(errors="replace"), _LAST_LINES)
        raise RunFailed(f"{words[-2]} {words[-1]} ended with {code}: {said} (all of it: {log})")


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
