"""One process at a time directs a run: claimed, an output is not written to by a second run started by accident."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from dolmino_cli.errors import RunFailed
from dolmino_cli.executors.leases import FOLDER, Leases, parsed
from dolmino_cli.shards.leftovers import remove_gone
from dolmino_cli.shards.output import Output

RUN = "run"


@contextmanager
def claim(output: Output) -> Iterator[None]:
    """Hold the run's lease, and remove what killed processes of this machine left unfinished.

    Raises RunFailed where another process holds it, StorageError.
    """
    leases = Leases(output)
    lease = leases.take(RUN)
    if lease is None:
        raise refused(leases)
    with lease:
        remove_gone(output.unfinished_folder)
        try:
            yield
        finally:
            remove_gone(output.unfinished_folder)  # of this run's workers that were killed
    folder = output.local_path(FOLDER)
    if folder is not None:
        with suppress(OSError):  # other leases are in it
            folder.rmdir()


def refused(leases: Leases) -> RunFailed:
    """What to say to whoever finds the run's lease taken."""
    host = parsed(leases.holder(RUN)).get("host", "an unknown machine")
    return RunFailed(
        f"another run is writing to {leases.output.root} (on {host}); wait for it or stop it, or divide the "
        f"work among several with --shard I/N. One that died on another machine is taken over after "
        f"{leases.expiry_seconds:.0f} s"
    )
