"""A run in a storm: its store fails one request in five, its processes are killed at random, its nodes go away; and it is begun
again until it is done. What came out is then compared with what an undisturbed run wrote.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_RUNS_AT_MOST = 60


@dataclass(kw_only=True)
class Storm:
    """What happened to a run."""

    runs: int = 0
    """How often a command was begun."""
    kills: int = 0
    said: list[str] = field(default_factory=list)
    """The end of what every run that failed said."""


def dolmino(*arguments: object) -> list[str]:
    """The command line of `dolmino` as it is here."""
    return [sys.executable, "-m", "dolmino_cli.cli.main", *map(str, arguments)]


def weather(
    commands: Sequence[Sequence[str]],
    environment: Mapping[str, str],
    *,
    seed: int,
    kills: int,
    quiet_seconds: float = 1.0,
    victims: Callable[[], Sequence[int]] = tuple,
    lightning: Callable[[], None] | None = None,
    limit_seconds: float = 1200,
) -> Storm:
    """Run all of `commands` at once until each has ended with 0, killing a process of theirs `kills` times.

    A victim is any process below the commands, one of the commands itself, or one of `victims` (such as a cluster's workers).
    Between two kills lie `quiet_seconds` on average. `lightning` strikes once, in place of the second kill.
    """
    chance = random.Random(seed)
    storm = Storm()
    running: dict[int, subprocess.Popen[str]] = {}
    left = dict(enumerate(commands))
    next_kill = time.monotonic() + chance.uniform(0.5, 1.5) * quiet_seconds
    deadline = time.monotonic() + limit_seconds
    try:
        while left:
            assert time.monotonic() < deadline, f"not done after {limit_seconds} s: {storm}"
            for number in [number for number in left if number not in running]:
                storm.runs += 1
                assert storm.runs <= _RUNS_AT_MOST, f"never done: {storm}"
                running[number] = subprocess.Popen(
                    left[number], env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
                )
            if storm.kills < kills and time.monotonic() >= next_kill:
                storm.kills += 1
                next_kill = time.monotonic() + chance.uniform(0.3, 1.7) * quiet_seconds
                if lightning is not None and storm.kills == 2:
                    lightning()
                else:
                    _kill_one(chance, [process.pid for process in running.values()], victims())
            time.sleep(0.05)
            for number in [number for number, process in running.items() if process.poll() is not None]:
                process = running.pop(number)
                said = process.communicate()[0]
                if process.returncode == 0:
                    del left[number]
                else:
                    storm.said.append(f"{process.returncode}: {said[-600:]}")
    finally:
        for process in running.values():
            process.kill()
    return storm


def _kill_one(chance: random.Random, commands: Sequence[int], others: Sequence[int]) -> None:
    """The command itself one time in four, so that most of the kills are its workers'."""
    below = [*descendants(commands), *others]
    victim = chance.choice(list(commands) if not below or chance.random() < 0.25 else below)
    with suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)


def descendants(roots: Sequence[int]) -> list[int]:
    """All processes below `roots`."""
    parents = dict(_parents())
    found, more = set(roots), True
    while more:
        new = {pid for pid, parent in parents.items() if parent in found} - found
        found |= new
        more = bool(new)
    return sorted(found - set(roots))


def named(mark: str) -> list[int]:
    """Processes whose command line begins with `mark`, below this one: another test beside it may have such, too."""
    found = []
    for pid in descendants([os.getpid()]):
        with suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(mark.encode()):
                found.append(pid)
    return found


def _parents() -> list[tuple[int, int]]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                found.append((int(folder.name), int((folder / "stat").read_text().rpartition(")")[2].split()[1])))
    return found
