"""What can be known before hours of work: may files be written, is there room for them, may so many be open at once."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from pathlib import Path

from dolmino_cli.errors import ConfigError
from dolmino_cli.shards.output import Output

try:
    import resource
except ImportError:  # no Unix: there is no such limit
    resource = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

# Of this process: per worker a pipe, its process and what is read ahead; and its own libraries, connections, listings.
_FILES_PER_WORKER, _FILES_BESIDES = 8, 128
# Less than this cannot end well, whatever the estimate: two parts of a shard.
FLOOR_BYTES = 2 * (256 << 20)


def check_open_files(workers: int, *, at_once: int = 0) -> None:
    """Let this process and those that it starts open as many files as they will need, `at_once` of them by the verb itself.

    Raises the soft limit where that is too low; ConfigError where the hard one is.
    """
    if resource is None:
        return
    needed = _FILES_BESIDES + _FILES_PER_WORKER * workers + at_once
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise ConfigError(
            f"{workers} workers need {needed:,} open files in one process and the hard limit here is {hard:,} (`ulimit -Hn`); "
            "raise it, or give fewer --workers"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def check_place(output: Output, *, writes_bytes: int, at_once_bytes: int) -> None:
    """May `output` be written to, and is there room? `writes_bytes` in all, of which `at_once_bytes` at a time are unfinished.

    Where less is free than estimated that is a warning; ConfigError where less is free than a run could end well with.
    Raises StorageError where nothing can be written.
    """
    output.check_writable()
    if output.is_s3:
        _check_room(
            Path(tempfile.gettempdir()), at_once_bytes, f"scratch files for {output.root}", "set TMPDIR to another folder"
        )
    else:
        _check_room(Path(output.root), writes_bytes, f"what is written to {output.root}", "give another --output")


def check_scratch(folder: Path, needed_bytes: int) -> None:
    """Is there room in a scratch folder? As `check_place`."""
    _check_room(folder, needed_bytes, "scratch files", "give another --scratch")


def _check_room(folder: Path, needed_bytes: int, what: str, advice: str) -> None:
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(one))
    free_bytes = shutil.disk_usage(there).free
    if free_bytes >= needed_bytes:
        return
    said = f"{_mb(free_bytes)} are free in {there}, and {what} will take about {_mb(needed_bytes)}"
    if free_bytes < FLOOR_BYTES:
        raise ConfigError(f"{said}; free some space, or {advice}")
    log.warning("%s; if it fills up, what is done by then is kept: free some space, or %s", said, advice)


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.0f} MB"
