"""Where locks are: one by its own path, or by the folder of the mix that it lies in; one to be written. Local or on S3."""

from __future__ import annotations

from pathlib import Path

from dolmino_cli.bundled import bundled_names
from dolmino_cli.errors import ConfigError
from dolmino_cli.mix import lock as locks
from dolmino_cli.mix.lock import Lock
from dolmino_cli.shards import storage
from dolmino_cli.shards.storage import Output


def names_a_lock(given: str) -> bool:
    """Is it a lock or a mix's folder, rather than a manifest or a bundled name? (A folder that is called as one is `./NAME`.)"""
    if given in bundled_names("mixes"):
        return False
    if given.startswith("s3://"):
        return not given.endswith((".yaml", ".yml"))
    return given.endswith(".json") or Path(given).is_dir()


def find_lock(given: str) -> tuple[str, Lock]:
    """(its path, the lock) of a `.json` file, or of the one lock that a folder or prefix holds.

    Raises ConfigError where there is none or more than one, DataError for a file that is no lock.
    """
    path = given if given.endswith(".json") else _in_folder(given)
    if not storage.exists(path):
        raise ConfigError(f"no lock {path!r}; give a MIX{locks.SUFFIX} that exists, or the folder of a mix")
    return path, locks.parse(storage.read_bytes(path), path)


def place_of_lock(path: str, option: str) -> tuple[Output, str]:
    """(the folder, the name) of a lock that is to be written. Raises ConfigError, naming `option`, for any other file's name."""
    parent, _, name = path.rpartition("/")
    if not name.endswith(locks.SUFFIX) or name == locks.SUFFIX:
        raise ConfigError(f"{option} {path!r} is no lock's name; give a path that ends in NAME{locks.SUFFIX}")
    return Output(parent or ("/" if path.startswith("/") else ".")), name


def _in_folder(root: str) -> str:
    if not root.startswith("s3://") and not Path(root).is_dir():
        raise ConfigError(f"no lock or folder {root!r}; give a MIX{locks.SUFFIX}, or the folder of a mix")
    found = [name for name in storage.list_names(root, locks.SUFFIX) if "/" not in name]
    if len(found) != 1:
        what = f"{len(found)} locks ({', '.join(found)})" if found else "no lock"
        raise ConfigError(f"{root} holds {what}; give the path of the one MIX{locks.SUFFIX} that is meant")
    return storage.join(root, found[0])
