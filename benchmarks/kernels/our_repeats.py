"""Our repeated n-grams kernel on a token array: seconds per pass, and the longest repetition from 32 on.

Usage: python our_repeats.py IDS.npy OFFSETS.npy OUTPUT.npy PASSES
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from dolmino_cli.kernels.repetition import repeat_counts

MAX_PERIOD, COUNT_FROM = 13, 32


def main(ids_path: str, offsets_path: str, output: str, passes: str) -> None:
    """Write the longest repetition of every document (0: below 32); print the seconds of every pass."""
    ids, offsets = np.load(ids_path), np.load(offsets_path)
    seconds = []
    for _ in range(int(passes)):
        started = time.perf_counter()
        longest = repeat_counts(ids, offsets, MAX_PERIOD, COUNT_FROM)
        seconds.append(time.perf_counter() - started)
    np.save(output, longest)
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
