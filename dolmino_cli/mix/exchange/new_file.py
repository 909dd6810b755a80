"""A file that a person may have changed since is not written over."""

from __future__ import annotations

from dolmino_cli.errors import ConfigError
from dolmino_cli.shards.storage import Output


def check_new(output: Output, name: str, data: bytes) -> None:
    """Raise ConfigError when the file is there already and says something else."""
    if output.read(name) not in (None, data):
        raise ConfigError(f"{output.path(name)} is there already and says something else; delete it, or give another output")


def put_new(output: Output, name: str, data: bytes) -> None:
    """Write a small file. Raises ConfigError as `check_new` does, StorageError when it cannot be written."""
    check_new(output, name, data)
    output.put(name, data)
