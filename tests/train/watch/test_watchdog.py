"""A process that makes no progress says where it stands, and ends."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from dolmino_cli.train.watch import watchdog as module


def test_a_hang_ends_with_the_stack_of_every_thread() -> None:
    # By a clock of its own: on a busy machine a step of a tenth of a second takes any time.
    program = """
import time
from types import SimpleNamespace
from dolmino_cli.train.watch import watchdog as module

now = 100.0
module.time = SimpleNamespace(monotonic=lambda: now)

def waits_for_ever():
    global now
    now += 7
    time.sleep(600)

watchdog = module.Watchdog(timeout_seconds=0.3, rank=3, world_size=8, say=lambda text: print(text, flush=True))
with watchdog.watching():
    for step in range(1, 6):
        watchdog.doing(f"step {step}")
        now += 0.2
        time.sleep(0.1)
    waits_for_ever()
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert ended.stdout.startswith(
        "dolmino: error: rank 3 of 8 has been in step 5 for 7 s (watch.timeout_seconds 0); where its threads"
    )
    assert "in waits_for_ever" in ended.stderr


def test_a_run_that_is_done_while_its_stacks_are_written_is_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    exit_codes: list[int] = []
    watching: list[threading.Thread] = []
    writes, left = threading.Event(), threading.Event()

    def write_slowly(**_: object) -> None:
        watching.append(threading.current_thread())
        writes.set()
        assert left.wait(60)

    monkeypatch.setattr(module.os, "_exit", exit_codes.append)
    monkeypatch.setattr(module.faulthandler, "dump_traceback", write_slowly)
    with module.Watchdog(timeout_seconds=0.01, rank=0, world_size=1, say=lambda _: None).watching():
        assert writes.wait(60)
    left.set()
    watching[0].join(60)
    assert exit_codes == []
