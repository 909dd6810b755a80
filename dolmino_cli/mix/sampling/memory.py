"""How much memory a sample may use, and what follows for how much it holds at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dolmino_cli.errors import ConfigError
from dolmino_cli.mix.plan import PlannedSource
from dolmino_cli.mix.sampling.token_files import SLAB_BYTES

MEMORY_BYTES = 4 << 30

# A process with its libraries loaded and everything compiled, before it holds any data. pandas is not among them
# (`without_pandas`).
PROCESS_BYTES = 240 << 20
# A document without its tokens, in memory: numbers, id, shard name. Estimated until the documents have been read.
ROW_BYTES = 160
# While rows are merged and written out, they exist up to so many times.
_ROWS_AT_ONCE = 4
_TABLES_AT_ONCE = 4
# Larger ones are sorted more slowly: what is taken from lies no longer in a processor's cache.
_MOST_TABLE_BYTES = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Budget:
    """`memory_bytes` for all processes of a run together. Raises ConfigError where that is too little for so many workers."""

    memory_bytes: int = MEMORY_BYTES
    workers: int = 1

    def __post_init__(self) -> None:
        needed = self._total(2 * SLAB_BYTES + _TABLES_AT_ONCE * (8 << 20))
        if self.memory_bytes < needed:
            raise ConfigError(
                f"{_mib(self.memory_bytes)} of memory is too little for {self.workers} workers; give --memory"
                f" {_mib(needed)} or more{', or fewer --workers' if self.workers > 1 else ''}"
            )

    @property
    def worker_bytes(self) -> int:
        """What one worker's data may take."""
        return self.memory_bytes // self._processes - PROCESS_BYTES

    @property
    def table_bytes(self) -> int:
        """How large a table of documents may be that one worker sorts."""
        return min(self.worker_bytes // _TABLES_AT_ONCE, _MOST_TABLE_BYTES)

    def check_part(self, tokens_per_file: int, documents_per_token: float, row_bytes: float = ROW_BYTES) -> None:
        """Raise ConfigError when a worker cannot hold the documents of a part; tokens pass through in small pieces."""
        # Parts differ by some percent, and a few documents more or less.
        rows = tokens_per_file * documents_per_token * 1.05 + 1000
        needed = int(2 * SLAB_BYTES + rows * row_bytes * _ROWS_AT_ONCE)
        if needed > self.worker_bytes:
            fitting = int((self.worker_bytes - 2 * SLAB_BYTES) / (_ROWS_AT_ONCE * row_bytes * documents_per_token * 1.1))
            raise ConfigError(
                f"parts of {tokens_per_file:,} tokens have about {rows:,.0f} documents, whose rows need {_mib(needed)} in each of"
                f" {self.workers} workers; --memory {_mib(self.memory_bytes)} leaves {_mib(self.worker_bytes)}: give --memory"
                f" {_mib(self._total(needed))}, fewer --workers, or --tokens-per-file {fitting} at most"
            )

    @property
    def _processes(self) -> int:
        return self.workers + 1 if self.workers > 1 else 1  # workers, and the process that hands out the work

    def _total(self, worker_bytes: int) -> int:
        return self._processes * (PROCESS_BYTES + worker_bytes)


def documents_per_token(sources: Sequence[PlannedSource]) -> float:
    """Of the mix that is planned, as far as its sources say how many documents they hold."""
    tokens = documents = 0.0
    for source in sources:
        if source.available is not None and source.available.documents is not None:
            tokens += source.tokens
            documents += source.tokens * source.available.documents / source.available.tokens
    return documents / tokens if tokens else 0.0


def _mib(size: int) -> str:
    return f"{-(-size // (1 << 20)):,}MiB".replace(",", "")
