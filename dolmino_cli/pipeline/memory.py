"""A worker's memory: what a document takes, what there may be, and giving back what a large one took."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pyarrow as pa

from dolmino_cli.errors import ConfigError, RunFailed

# Peak memory over a document's bytes, all through reading, measuring and writing: 4.2 of ASCII, 4.8 of Japanese, 7.7 of ASCII
# with one emoji, which Python holds in 4 bytes a character (measured by benchmarks/cluster/memory.py).
_PER_DOCUMENT_BYTE = 8
_WITHOUT_DOCUMENTS_BYTES = 256 << 20
_LARGE_BYTES = 16 << 20
_STATM = Path("/proc/self/statm")


def check_fits(memory_bytes: int, max_document_bytes: int, *, per_document_byte: int = _PER_DOCUMENT_BYTE) -> None:
    """Raises ConfigError where a document as large as allowed may not fit into a worker's memory, naming what would."""
    needed = _WITHOUT_DOCUMENTS_BYTES + per_document_byte * max_document_bytes
    if needed <= memory_bytes:
        return
    fits = (memory_bytes - _WITHOUT_DOCUMENTS_BYTES) // per_document_byte
    lower = f"--max-document {fits >> 20}MiB or less, or " if fits >= 1 << 20 else ""
    raise ConfigError(
        f"--memory-per-worker {memory_bytes:,}: a document of --max-document {max_document_bytes:,} bytes may take "
        f"{per_document_byte} times its size; give {lower}--memory-per-worker {-(-needed >> 20)}MiB or more"
    )


def check_ceiling(memory_bytes: int | None, path: str) -> None:
    """Raises RunFailed where this process has more memory than it may, in the midst of `path`. Linux only: others do not tell."""
    if memory_bytes is None or not _STATM.exists():
        return
    resident = int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    if resident > memory_bytes:
        raise RunFailed(
            f"{path}: the worker has {resident / 2**20:,.0f} MiB, more than --memory-per-worker {memory_bytes / 2**20:,.0f} MiB; "
            "give more, or a smaller --max-document"
        )


def give_back(used_bytes: int) -> None:
    """After a batch of `used_bytes`: hand free memory back to the system, where it was a large one."""
    if used_bytes < _LARGE_BYTES:
        return
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)
