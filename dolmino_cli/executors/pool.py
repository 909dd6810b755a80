"""Worker processes that are replaced when they die: each has a pipe and a thread of its own, so that blame is exact.

The thread gives its worker one task and waits for the answer or for the worker's end. It is that task, and no other, that a
dead worker had. (The pool of concurrent.futures shares one queue among its workers: when one is killed all of its tasks in
flight are lost, and which of them did it cannot be told.)
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing import connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from queue import Empty, SimpleQueue
from typing import Any

from dolmino_cli.errors import RunFailed
from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.failures import MOST_DEATHS, WorkersKilled
from dolmino_cli.executors.worker import READY, Given, Raised, serve

log = logging.getLogger(__name__)

_MOST_STARTS = 3
_END_SECONDS = 5.0


class Pool:
    """Up to `workers` processes that call `function`. Give tasks, take as many results, and close it at the end."""

    def __init__(
        self,
        function: Callable[[Any], Any],
        *,
        workers: int,
        counters: Counters | None,
        processes: ForkServerContext,
        name_of: Callable[[Any], str] = str,
    ) -> None:
        self._function, self._counters, self._processes, self._name_of = function, counters, processes, name_of
        self._environment = dict(os.environ)
        self._inbox: SimpleQueue[Given | None] = SimpleQueue()
        self._outbox: SimpleQueue[tuple[Any, Any]] = SimpleQueue()
        self._starting = threading.Lock()  # multiprocessing's list of children is not made for threads
        self._threads = [threading.Thread(target=self._direct, args=(number,), daemon=True) for number in range(workers)]
        self._idle = iter(self._threads)

    def give(self, task: Any) -> None:
        """Hand out a task. Workers start one by one, with the first tasks."""
        thread = next(self._idle, None)
        if thread is not None:
            thread.start()
        self._inbox.put(Given(task=task))

    def next_result(self) -> tuple[Any, Any]:
        """Wait for the next task that is done; (task, result). Raises what a task raised."""
        task, result = self._outbox.get()
        if isinstance(result, Raised):
            raise result.again()
        return task, result

    def close(self) -> None:
        """Take back the tasks that no worker has begun, wait for those that run, end the workers."""
        while True:
            try:
                self._inbox.get_nowait()
            except Empty:
                break
        started = [thread for thread in self._threads if thread.ident is not None]
        for _ in started:
            self._inbox.put(None)
        for thread in started:
            thread.join()

    def _direct(self, number: int) -> None:
        """The thread of worker `number`: keeps it busy, and puts another in its place when it dies."""
        worker: _Worker | None = None
        while (given := self._inbox.get()) is not None:
            try:
                worker = worker or self._start(number)
                result = worker.do(given)
            except _Died as died:
                worker = None
                given = replace(given, deaths=given.deaths + 1)
                name = self._name_of(given.task)
                if given.deaths < MOST_DEATHS:
                    log.warning("%s: its worker was %s; it is given again (%d of %d)", name, died, given.deaths + 1, MOST_DEATHS)
                    if self._counters is not None:
                        self._counters.retries += 1
                    self._inbox.put(given)
                    continue
                result = WorkersKilled(name, deaths=given.deaths, how=str(died))
            except Exception as error:  # noqa: BLE001 - raised again by next_result
                result = Raised(error=error, traceback="")
            self._outbox.put((given.task, result))
        if worker is not None:
            worker.end(self._starting)

    def _start(self, number: int) -> _Worker:
        """A new worker. Raises RunFailed where it cannot be had."""
        for _ in range(_MOST_STARTS):
            with self._starting:
                ours, its = self._processes.Pipe()
                arguments = (its, self._function, number, self._counters, self._environment)
                process = self._processes.Process(target=serve, args=arguments, daemon=False)
                process.start()
                its.close()
            worker = _Worker(process=process, pipe=ours, lock=self._starting)
            try:
                assert worker.receive() == READY
            except _Died as died:
                how = str(died)
            else:
                return worker
        raise RunFailed(
            f"worker processes end before their first task ({how}); finished tasks are kept: run the same command again"
        )


class _Died(Exception):
    """The worker is gone; says how."""


@dataclass(frozen=True, kw_only=True)
class _Worker:
    process: BaseProcess
    pipe: connection.Connection[Any, Any]
    lock: threading.Lock

    def do(self, given: Given) -> Any:
        """Its answer. Raises _Died."""
        task = pickle.dumps(given)
        try:
            self.pipe.send_bytes(task)
        except OSError:
            raise _Died(self.end(self.lock)) from None
        return pickle.loads(self.receive())

    def receive(self) -> bytes:
        """Its next message. Raises _Died where it ends without one."""
        # Not its pipe alone: a process that it had started may hold that open after its end.
        connection.wait([self.pipe, self.process.sentinel])
        try:
            if self.pipe.poll():
                return self.pipe.recv_bytes()
        except (EOFError, OSError):
            pass
        raise _Died(self.end(self.lock))

    def end(self, lock: threading.Lock) -> str:
        """Wait until it has ended; how it did, in words."""
        self.pipe.close()
        connection.wait([self.process.sentinel], _END_SECONDS)
        with lock:
            self.process.kill()
            self.process.join()
        code = self.process.exitcode or 0
        if code >= 0:
            return f"gone (exit {code})"
        return f"killed by {signal.Signals(-code).name if -code in set(signal.Signals) else f'signal {-code}'}"
