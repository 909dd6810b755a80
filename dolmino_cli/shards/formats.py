"""Which file names are shards, and what is in them: `.jsonl .json .ndjson` (plain, gzip, zstd) and `.parquet`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dolmino_cli.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Format:
    """What a known suffix stands for."""

    kind: Literal["jsonl", "parquet"]
    compression: Literal["plain", "gzip", "zstd"]


_COMPRESSIONS: dict[str, Literal["plain", "gzip", "zstd"]] = {"": "plain", ".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}

FORMATS: dict[str, Format] = {
    **{
        base + ending: Format(kind="jsonl", compression=compression)
        for base in (".jsonl", ".json", ".ndjson")
        for ending, compression in _COMPRESSIONS.items()
    },
    ".parquet": Format(kind="parquet", compression="plain"),
}


def suffix_of(name: str) -> str | None:
    """The known suffix that `name` ends with (`.jsonl.zst` of `a/b.jsonl.zst`), or None."""
    matches = [suffix for suffix in FORMATS if name.endswith(suffix)]
    return max(matches, key=len, default=None)


def format_of(name: str) -> Format:
    """The format of a shard by its name. Raises ConfigError for an unknown suffix, listing the known ones."""
    suffix = suffix_of(name)
    if suffix is None:
        raise ConfigError(f"{name}: not a known kind of shard; allowed suffixes: {', '.join(FORMATS)}")
    return FORMATS[suffix]
