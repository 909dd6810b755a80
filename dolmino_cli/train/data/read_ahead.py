"""Batches made before they are asked for, by a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Batch = TypeVar("Batch")


def read_ahead(make: Callable[[int], Batch], steps: range, *, depth: int) -> Generator[Batch, None, None]:
    """make(step) of every step, in order, up to `depth` of them before they are asked for; reading begins at once.

    What `make` raises is raised where its batch would have come. To stop early, close() the iterator: the batch that is being
    made is finished, no other is begun.
    """
    reader = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
    waiting = deque(reader.submit(make, step) for step in steps[:depth])
    return _batches(make, steps[depth:], reader, waiting)


def _batches(
    make: Callable[[int], Batch], later: range, reader: ThreadPoolExecutor, waiting: deque[Future[Batch]]
) -> Generator[Batch, None, None]:
    following = iter(later)
    try:
        while waiting:
            batch = waiting.popleft().result()
            step = next(following, None)
            if step is not None:
                waiting.append(reader.submit(make, step))
            yield batch
    finally:
        reader.shutdown(wait=True, cancel_futures=True)
