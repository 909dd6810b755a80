"""Our search for windows that repeat themselves on a token array: seconds per pass, and how many windows do.

Usage: python our_windows.py IDS.npy PASSES
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from dolmino_cli.kernels.repetition import windows_repeat

WINDOW, MAX_PERIOD, COUNT = 4096, 13, 32


def main(ids_path: str, passes: str) -> None:
    """Print the seconds of every pass, and the number of windows found."""
    ids = np.load(ids_path)
    seconds, found = [], 0
    for _ in range(int(passes)):
        started = time.perf_counter()
        found = int(windows_repeat(ids, WINDOW, MAX_PERIOD, COUNT).sum())
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"seconds": seconds, "found": found, "windows": len(ids) // WINDOW}))


if __name__ == "__main__":
    main(*sys.argv[1:])
