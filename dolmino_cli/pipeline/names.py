"""Shard name -> names of what a run writes for it."""

from __future__ import annotations

import re
from typing import Literal

Format = Literal["zst", "gz", "plain", "parquet", "same"]
FORMATS: tuple[Format, ...] = ("zst", "gz", "plain", "parquet", "same")

_SUFFIX = re.compile(r"\.(?:(?:jsonl|json|ndjson)(?:\.(?:gz|zst|zstd))?|parquet)\Z")
_SUFFIXES = {"zst": ".jsonl.zst", "gz": ".jsonl.gz", "plain": ".jsonl", "parquet": ".parquet"}


def stem(shard_name: str) -> str:
    """`web/cc-0001.jsonl.gz` -> `web/cc-0001`."""
    return _SUFFIX.sub("", shard_name)


def documents_name(shard_name: str, format: Format | None) -> str:
    """Where the kept documents go. Without a format: Parquet stays Parquet, JSONL becomes .jsonl.zst."""
    if format == "same":
        return shard_name
    if format is None:
        format = "parquet" if shard_name.endswith(".parquet") else "zst"
    return stem(shard_name) + _SUFFIXES[format]


def attributes_name(shard_name: str) -> str:
    """Where the sidecar rows go."""
    return stem(shard_name) + ".parquet"


def quarantine_name(shard_name: str) -> str:
    """Where unreadable records go."""
    return stem(shard_name) + ".parquet"
