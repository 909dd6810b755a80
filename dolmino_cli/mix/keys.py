"""The two hashes of a document: which documents are taken, and in which order they stand."""

from __future__ import annotations

from dolmino_cli.siphash import derive_key


def selection_key(seed: int, source: str) -> bytes:
    """The key of the hash that ranks the documents of a source for a partial pass."""
    return derive_key("dolmino mix selection", seed, source)


def order_key(seed: int, source: str, copy: int) -> bytes:
    """The key of the hash that places copy number `copy` (0-based) of a source's documents in the mix."""
    return derive_key("dolmino mix order", seed, source, copy)
