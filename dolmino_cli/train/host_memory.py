"""Memory of the C library, kept for the next step instead of handed back."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Let glibc reuse large blocks: training on a CPU frees and asks for the same ones in every step.

    Each would be mapped anew and cleared by the system, page by page: half of the CPU time of a step of the preset `tiny`.
    Does nothing with another C library.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if set_option is not None:
        set_option(_M_MMAP_MAX, 0)
        set_option(_M_TRIM_THRESHOLD, 2**31 - 1)
