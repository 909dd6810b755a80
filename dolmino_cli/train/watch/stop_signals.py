"""StopSignals: SIGTERM, SIGINT and SIGUSR1 ask a run to save itself and end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class StopSignals:
    """`asked` says whether one came to this process. A second SIGINT (Ctrl-C by one who does not want to wait) ends it."""

    def __init__(self) -> None:
        self.asked: str | None = None
        """The signal's name."""

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Within the block signals are only noted. In a thread that is not the main one, there are none to be noted."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.asked == "SIGINT":
            raise KeyboardInterrupt
        self.asked = signal.Signals(number).name
