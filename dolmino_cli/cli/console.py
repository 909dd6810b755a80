"""Where verbs print: tables to standard output, progress to standard error, plain when not a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from threading import Event, Thread
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

T = TypeVar("T")

# Without a terminal Rich assumes 80 columns and would fold the tables.
out = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
err = Console(stderr=True, width=None if sys.stderr.isatty() else 200, highlight=False)

PLAIN_LINE_EVERY_SECONDS = 10.0


def tracked(
    items: Iterable[T],
    *,
    what: str,
    total_bytes: int,
    size_of: Callable[[T], int],
    read: Callable[[], tuple[int, int]],
    shards: int,
) -> Iterator[T]:
    """Pass `items` (finished shards) on while showing shards, documents, MB/s of text and the time left.

    `size_of` gives a finished item's listed bytes, of `total_bytes` in all; `read` gives documents and text bytes so far.
    """
    if err.is_terminal:
        yield from _bar(items, what, total_bytes, size_of, read, shards)
    else:
        yield from _lines(items, what, total_bytes, size_of, read, shards)


def _bar(
    items: Iterable[T], what: str, total_bytes: int, size_of: Callable[[T], int], read: Callable[[], tuple[int, int]], shards: int
) -> Iterator[T]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[shown]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task(what, total=max(total_bytes, 1), shown="")
        started, done, stop = time.monotonic(), 0, Event()

        def refresh() -> None:
            while not stop.wait(0.25):
                progress.update(task, shown=_rates(read(), time.monotonic() - started, done, shards))

        Thread(target=refresh, daemon=True).start()
        try:
            for item in items:
                done += 1
                progress.advance(task, size_of(item))
                yield item
        finally:
            stop.set()


def _lines(
    items: Iterable[T], what: str, total_bytes: int, size_of: Callable[[T], int], read: Callable[[], tuple[int, int]], shards: int
) -> Iterator[T]:
    started, done, done_bytes, said = time.monotonic(), 0, 0, time.monotonic()
    for item in items:
        done += 1
        done_bytes += size_of(item)
        now = time.monotonic()
        if now - said >= PLAIN_LINE_EVERY_SECONDS:
            said = now
            left = (now - started) * (total_bytes - done_bytes) / max(done_bytes, 1)
            err.print(f"{what}: {_rates(read(), now - started, done, shards)}, about {left:,.0f} s left", soft_wrap=True)
        yield item
    with suppress(OSError):
        err.print(f"{what}: {_rates(read(), time.monotonic() - started, done, shards)}", soft_wrap=True)


def _rates(counts: tuple[int, int], seconds: float, done: int, shards: int) -> str:
    documents, text_bytes = counts
    return f"{done:,}/{shards:,} shards, {documents:,} documents, {text_bytes / 1e6 / max(seconds, 1e-9):,.1f} MB/s of text"
