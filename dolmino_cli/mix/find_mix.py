"""The manifest or lock that a bundled name or a path stands for, as a local file."""

from __future__ import annotations

from pathlib import Path

from dolmino_cli.bundled import find
from dolmino_cli.errors import ConfigError
from dolmino_cli.shards import storage


def find_mix(given: str) -> Path:
    """As `bundled.find`; what lies on S3 is downloaded, once per content. Raises ConfigError, StorageError."""
    if not given.startswith("s3://"):
        return find("mixes", given)
    if not given.endswith((".yaml", ".yml", ".json")):
        raise ConfigError(f"{given!r} is neither a manifest nor a lock by its name; give one that ends in .yaml or .lock.json")
    return storage.fetch(given)
