"""A command of the user's that scores a checkpoint: `{checkpoint}` in it becomes the folder, its last line is the score."""

from __future__ import annotations

import json
import math
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dolmino_cli.errors import ConfigError, RunFailed
from dolmino_cli.executors.child import run_child

_PLACE = "{checkpoint}"
_LAST_LINES = 5


@dataclass(frozen=True, kw_only=True)
class MetricCommand:
    """How checkpoints are scored. Run without a shell; write `sh -c '...'` for pipes."""

    command: str
    key: str | None = None
    """Dotted key of a number in the JSON that the command prints (all of its output, or the last line). None: the last line is
    the number."""
    lower_is_better: bool = False

    def __post_init__(self) -> None:
        if not any(_PLACE in word for word in self.words()):
            raise ConfigError(f"the command {self.command!r} does not say {_PLACE}; write it where the checkpoint's folder goes")

    def words(self) -> list[str]:
        """The command cut as a shell cuts it. Raises ConfigError for quotes that do not end."""
        try:
            return shlex.split(self.command)
        except ValueError as error:
            raise ConfigError(f"the command {self.command!r} cannot be read: {error}") from None

    def words_for(self, checkpoint: Path) -> list[str]:
        """The command for one checkpoint."""
        return [word.replace(_PLACE, str(checkpoint)) for word in self.words()]

    def better(self, new: float, old: float) -> bool:
        """Is `new` at least as good as `old`?"""
        return new <= old if self.lower_is_better else new >= old

    def score(self, checkpoint: Path) -> float:
        """Run the command; its number. Raises RunFailed with the command's last lines where it fails or prints none."""
        words = self.words_for(checkpoint)
        try:
            done = run_child(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
        except OSError as error:
            raise RunFailed(f"{shlex.join(words)}: cannot be run: {error.strerror or error}") from None
        if done.returncode != 0:
            raise RunFailed(f"{shlex.join(words)}: ended with {done.returncode}: {tail_of(done.stderr or done.stdout)}")
        number = _number(done.stdout, self.key)
        if number is None:
            wanted = "a number as its last line" if self.key is None else f"JSON with a number at {self.key}"
            raise RunFailed(f"{shlex.join(words)}: did not print {wanted}: {tail_of(done.stdout)}")
        return number


def _number(output: str, key: str | None) -> float | None:
    """The number that was printed; None if there is none, or one that no other can be compared with."""
    lines = [line for line in output.splitlines() if line.strip()] or [""]
    for text in [lines[-1]] if key is None else [output, lines[-1]]:
        try:
            found: Any = float(text) if key is None else json.loads(text)
        except ValueError:
            continue
        for part in key.split(".") if key is not None else []:
            found = found.get(part) if isinstance(found, dict) else None
        if isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found):
            return float(found)
    return None


def last_json(log: Path) -> dict[str, dict[str, float]]:
    """What `dolmino eval --json` ended a log with. Raises RunFailed."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    try:
        return dict(json.loads(next(line for line in reversed(lines) if line.startswith("{"))))
    except (ValueError, StopIteration):
        raise RunFailed(f"{log} does not end with the numbers of an evaluation as JSON") from None


def tail_of(text: str, most: int = _LAST_LINES) -> str:
    """The last lines of what a command printed, in one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-most:]) or "it printed nothing"
