"""What runs in a process of a Ray cluster: one task at a time, as a local worker does, with what the driver's machine has set."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dolmino_cli
from dolmino_cli.executors import counters
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.worker import begin, take_one_thread
from dolmino_cli.shards import s3_troubles
from dolmino_cli.shards.s3_troubles import Troubles

# Who may read and write where, and with which caches: a family that the driver has set any of is taken from it as a whole.
_FAMILIES = ("AWS_", "HF_", "HUGGING_FACE_", "DOLMINO_")


@dataclass(frozen=True, kw_only=True)
class Driver:
    """What a worker must know of the process that directs the run."""

    environment: Mapping[str, str]
    folder: str
    """The working folder, which relative paths are below."""
    marker: str | None = None
    """A file in the output that the driver has written; a worker that does not see it writes to another disk."""
    preload: Sequence[str] = ()

    @staticmethod
    def here(*, marker: str | None = None, preload: Sequence[str] = ()) -> Driver:
        """This process as the driver."""
        passed = {name: value for name, value in os.environ.items() if name.startswith((*_FAMILIES, "TMPDIR"))}
        return Driver(environment=passed, folder=str(Path.cwd()), marker=marker, preload=preload)


@dataclass(frozen=True, kw_only=True)
class Started:
    """What a worker says of itself when it is ready."""

    version: str
    python: str
    host: str
    sees_output: bool


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a task ended: its result or the exception, as it is; the worker's totals, as `Worker.progress`; and which requests
    to S3 it had to try again since its last task.
    """

    result: Any = None
    error: Exception | None = None
    progress: tuple[int, int]
    troubles: Troubles


class Worker:
    """The class of the actors. Models, tokenizers and compiled kernels stay in the process between its tasks."""

    def __init__(self, driver: Driver) -> None:
        # Given here, and not as Ray's runtime environment, which Ray writes into its logs: there are keys among them.
        _adopt(driver.environment)
        if Path(driver.folder).is_dir():
            os.chdir(driver.folder)
        self._driver = driver
        self._counters = Counters(workers=1)
        counters.use(self._counters)

    def start(self) -> Started:
        """Import what tasks need, and say what this process is."""
        from dolmino_cli.executors import imported_first  # noqa: F401

        for module in self._driver.preload:
            with suppress(ImportError):  # an extra that no task may need
                importlib.import_module(module)
        import socket

        return Started(
            version=dolmino_cli.__version__,
            python=".".join(map(str, sys.version_info[:2])),
            host=socket.gethostname(),
            sees_output=self._driver.marker is None or Path(self._driver.marker).exists(),
        )

    def run(self, deaths: int, function: Callable[..., Any], *arguments: Any) -> Outcome:
        """Do a task that `deaths` workers died of. What it raises is handed over whole: Ray would make a traceback of it."""
        begin(deaths)
        try:
            return Outcome(result=function(*arguments), progress=self.progress(), troubles=s3_troubles.take())
        except Exception as error:  # noqa: BLE001 — raised again by the driver
            return Outcome(error=error, progress=self.progress(), troubles=s3_troubles.take())

    def progress(self) -> tuple[int, int]:
        """(documents, bytes) that this process has done so far."""
        return self._counters.read()


def _adopt(environment: Mapping[str, str]) -> None:
    families = [family for family in _FAMILIES if any(name.startswith(family) for name in environment)]
    for name in [name for name in os.environ if name.startswith(tuple(families))]:
        del os.environ[name]
    os.environ.update({name: value for name, value in environment.items() if name != "TMPDIR"})
    # Scratch is a node's own: the driver's folder only where the node has it.
    if "TMPDIR" in environment and Path(environment["TMPDIR"]).is_dir():
        os.environ["TMPDIR"] = environment["TMPDIR"]
    take_one_thread()
