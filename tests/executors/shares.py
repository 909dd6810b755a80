"""Processes that divide a run among them, as a batch system starts them."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from dolmino_cli.errors import DolminoError
from dolmino_cli.executors.leases import Leases
from dolmino_cli.executors.worker import take_environment
from dolmino_cli.shards.output import Output


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """`dolmino ARGUMENTS` in a process of its own."""
    command = [sys.executable, "-m", "dolmino_cli.cli.main", *map(str, arguments)]
    package = str(Path(__file__).resolve().parents[2])
    settings = {**os.environ, "PYTHONPATH": package, **environment}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=settings)


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for it: exit code, standard output, standard error."""
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


@contextmanager
def unfinished(output: Path, task: str) -> Iterator[None]:
    """Meanwhile this process has the task, and does not renew its lease: the others neither do it nor leave it to this one, so
    that their run goes on for as long as a test takes to disturb it.
    """
    lease = Leases(Output(str(output)), expiry_seconds=1e6).take(task)
    assert lease is not None
    with lease:
        yield


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """What each call returns, or the DolminoError that it raises, all running at the same time in processes of their own."""
    pipes = [multiprocessing.Pipe(duplex=False) for _ in calls]
    processes = [begun(partial(_tell, sending, call)) for (_, sending), call in zip(pipes, calls, strict=True)]
    for _, sending in pipes:
        sending.close()  # so that the end of a process is the end of its pipe
    found = [receiving.recv() for receiving, _ in pipes]
    for process in processes:
        process.join()
    return found


def begun(call: Callable[[], Any]) -> BaseProcess:
    """A process that makes the call. Not forked: one as old as that of the tests has threads that do not survive it."""
    process = multiprocessing.get_context("forkserver").Process(target=_as_here, args=(call, dict(os.environ)))
    process.start()
    return process


def _as_here(call: Callable[[], Any], environment: Mapping[str, str]) -> None:
    take_environment(environment)
    call()


def _tell(pipe: Connection, call: Callable[[], Any]) -> None:
    try:
        pipe.send(call())
    except DolminoError as error:
        pipe.send(error)
