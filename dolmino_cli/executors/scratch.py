"""Where a run keeps what lies between its phases: a local folder that all of its processes see."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from dolmino_cli.errors import ConfigError, StorageError
from dolmino_cli.executors.executor import Executor
from dolmino_cli.shards import storage
from dolmino_cli.shards.failures import storage_errors
from dolmino_cli.shards.storage import Output

NAME = ".scratch"


def scratch_folder(output: Output, given: str | None, *, verb: str) -> Path:
    """The folder of a run of `verb` (a name) that writes to `output`: inside of it, else in `given` or the temporary folder.

    Its name depends on the output alone: every process of the run finds it, and so does a rerun. Raises ConfigError for a
    `given` that is on no local disk.
    """
    if given is not None and storage.is_remote(given):
        raise ConfigError(f"--scratch {given!r}: it must be on the local disk, or one that is mounted; give a local folder")
    if given is None and not output.is_s3:
        return Path(output.root) / NAME
    parent = Path(given) if given is not None else Path(tempfile.gettempdir()) / f"dolmino-{os.getuid()}"
    return parent / f"dolmino-{verb}-{hashlib.sha256(storage.absolute(output.root).encode()).hexdigest()[:16]}"


def check_seen_by_all(output: Output, given: str | None, executor: Executor) -> None:
    """Raises ConfigError where tasks run on several machines, and scratch would be on each one's own disk."""
    if executor.several_machines and output.is_s3 and given is None:
        raise ConfigError(
            f"tasks run on several machines, and --output {output.root} is on S3: say where all of them see what lies between "
            "the phases: --scratch DIR, a folder on a shared disk (NFS, Lustre, EFS)"
        )


def make_own(folder: Path) -> None:
    """Make the folder, readable by this user alone; nothing is read from a folder of another user's. Raises StorageError."""
    with storage_errors("make the scratch folder", str(folder)):
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)
        if folder.stat().st_uid != os.getuid():
            raise StorageError(f"the scratch folder {folder} is another user's; give --scratch a folder of your own")
