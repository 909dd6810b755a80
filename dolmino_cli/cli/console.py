"""Where verbs print: tables and results to standard output, progress and remarks to standard error.

Rich is imported when a table or a bar is shown, not before: a run without a terminal works in 4 MB less.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

import typer

from dolmino_cli.errors import StorageError
from dolmino_cli.report.amounts import duration
from dolmino_cli.shards.failures import explain

if TYPE_CHECKING:
    from rich.table import Table

T = TypeVar("T")

PLAIN_LINE_EVERY_SECONDS = 10.0
# Without a terminal Rich assumes 80 columns and would fold the tables.
PLAIN_TABLE_COLUMNS = 140


def show(result: Table | str) -> None:
    """Print a result to standard output. Raises StorageError where that is a file that cannot be written."""
    try:
        if isinstance(result, str):
            typer.echo(result)
            return
        from rich.console import Console

        Console(width=None if sys.stdout.isatty() else PLAIN_TABLE_COLUMNS, highlight=False).print(result)
    except BrokenPipeError:  # whoever read it has enough
        raise
    except OSError as error:
        raise StorageError(f"cannot write to the standard output: {explain(error)}") from error


def remark(text: str) -> None:
    """Print a line about the run to standard error."""
    typer.echo(text, err=True)


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
    if sys.stderr.isatty():
        yield from _bar(items, what, total_bytes, size_of, read, shards)
    else:
        yield from _lines(items, what, total_bytes, size_of, read, shards)


def _bar(
    items: Iterable[T], what: str, total_bytes: int, size_of: Callable[[T], int], read: Callable[[], tuple[int, int]], shards: int
) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[shown]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
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
            remark(f"{what}: {_rates(read(), now - started, done, shards)}, about {left:,.0f} s left")
        yield item
    with suppress(OSError):
        remark(f"{what}: {_rates(read(), time.monotonic() - started, done, shards)}")


@contextmanager
def counted(what: str, *, total: int, unit: str) -> Iterator[Callable[[int, str], None]]:
    """Show how many of `total` are done, how fast and how long the rest takes; call what is yielded with (done, more to say).

    What was done before the first call, by an earlier run, counts as done but not for the rate.
    """
    started, first, said = time.monotonic(), -1, time.monotonic()
    line = f"{what}: nothing done"

    def described(done: int, more: str) -> str:
        nonlocal first
        first = done if first < 0 else first
        a_second = (done - first) / max(time.monotonic() - started, 1e-9)
        left = f", about {duration((total - done) / a_second)} left" if a_second else ""
        return f"{what}: {done:,}/{total:,} {unit}, {a_second:,.1f}/s{left}, {more}"

    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        with Progress(BarColumn(), TextColumn("{task.description}"), console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(line, total=max(total, 1))
            yield lambda done, more: bar.update(task, completed=done, description=described(done, more))
        return

    def say(done: int, more: str) -> None:
        nonlocal line, said
        line = described(done, more)
        if time.monotonic() - said >= PLAIN_LINE_EVERY_SECONDS:
            said = time.monotonic()
            remark(line)

    try:
        yield say
    finally:
        with suppress(OSError):
            remark(line)


def _rates(counts: tuple[int, int], seconds: float, done: int, shards: int) -> str:
    documents, text_bytes = counts
    return f"{done:,}/{shards:,} shards, {documents:,} documents, {text_bytes / 1e6 / max(seconds, 1e-9):,.1f} MB/s of text"
