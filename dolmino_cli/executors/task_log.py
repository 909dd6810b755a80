"""The log of one task, `logs/<phase>/<task>.log`: where and when it ran, what `logging` said, what S3 made it repeat, its end."""

from __future__ import annotations

import logging
import os
import re
import socket
import time
from datetime import UTC, datetime
from types import TracebackType

from dolmino_cli import __version__
from dolmino_cli.executors.worker import deaths_before, worker_number
from dolmino_cli.shards import s3_troubles
from dolmino_cli.shards.output import Output

FOLDER = "logs"
_MOST_BYTES = 1 << 20
_MOST_TURNS = 20
_SECRET_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_SECRET_SHORTEST = 8
_SIGNED = re.compile(r"(X-Amz-(?:Signature|Credential|Security-Token)=|://[^/\s:@]*:)[^&\s@]+", re.IGNORECASE)


class TaskLog(logging.Handler):
    """Listens to `logging` in this process while the context is open. `amiss`: a failure, a warning, or a killed worker."""

    def __init__(self, *, phase: str, task: str) -> None:
        super().__init__()
        self._phase, self._task = phase, task
        self._lines: list[str] = []
        self._ended = ""
        self.amiss = False
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self._lines.append(self.format(record))
        self.amiss = self.amiss or record.levelno >= logging.WARNING

    def failed(self, reason: str, trace: str) -> None:
        """Say that the task failed."""
        self._ended = f"failed: {reason}\n{trace.rstrip()}"
        self.amiss = True

    def __enter__(self) -> TaskLog:
        self._started, self._clock, self._troubles = datetime.now(UTC), time.monotonic(), s3_troubles.ever()
        if deaths_before():
            self._lines.append(f"workers that were killed at this task before: {deaths_before()}")
            self.amiss = True
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        logging.getLogger().removeHandler(self)
        self._seconds = time.monotonic() - self._clock
        troubles = s3_troubles.ever() - self._troubles
        if troubles:
            self._lines.append(str(troubles))

    def save(self, output: Output) -> None:
        """Write it, after what earlier tries of the task left. Raises StorageError.

        Several helpers of one task may end at once: what was there is taken away before it is put back with more.
        """
        name = f"{FOLDER}/{self._phase}/{self._task}.log"
        text = without_secrets(self._text()).encode()
        for _ in range(_MOST_TURNS):
            if output.put_new(name, text):
                return
            earlier = output.read(name)
            if earlier is not None and output.remove_if(name, earlier):
                text = earlier[-_MOST_BYTES:] + text
        output.put(name, text)

    def _text(self) -> str:
        begun = self._started.isoformat(timespec="seconds")
        where = f"{socket.gethostname()}, process {os.getpid()}, worker {worker_number()}"
        return "\n".join(
            [
                f"== {self._phase} {self._task}, begun {begun}",
                f"dolmino {__version__}, {where}",
                *self._lines,
                f"after {self._seconds:.1f} s: {self._ended or 'done'}",
                "",
            ]
        )


def without_secrets(text: str) -> str:
    """`text` with a * for every credential in it: those of this process's environment, and those of signed or named addresses."""
    for name, value in os.environ.items():
        if len(value) >= _SECRET_SHORTEST and _SECRET_NAMES.search(name) and not value.startswith("/"):
            text = text.replace(value, "*")
    return _SIGNED.sub(r"\1*", text)
