"""OLMo-core's find_periodic_sequences on every document of a token array: seconds per pass, and the longest repetition.

The function and what it calls are taken from the installed package's file as they are, because importing the package
itself would import torch, which the function does not use.
Usage: python olmo_core_repeats.py IDS.npy OFFSETS.npy OUTPUT.npy PASSES
"""

from __future__ import annotations

import ast
import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np

MAX_PERIOD = 13
_WANTED = (
    "find_end_first_consecutive_true",
    "find_start_last_consecutive_true",
    "group_consecutive_values",
    "RepetitionTuple",
    "find_periodic_sequences",
)


def load_function() -> Callable[..., Any]:
    """find_periodic_sequences, compiled from olmo_core/data/utils.py."""
    path = Path(str(distribution("ai2-olmo-core").locate_file("olmo_core/data/utils.py")))
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if getattr(node, "name", None) in _WANTED]
    names: dict[str, Any] = {"np": np}
    exec("from typing import Generator, List, NamedTuple", names)
    exec(compile(tree, str(path), "exec"), names)
    return names["find_periodic_sequences"]  # type: ignore[no-any-return]


def main(ids_path: str, offsets_path: str, output: str, passes: str) -> None:
    """Write the longest repetition of every document (0: none of 3 or more); print the seconds of every pass."""
    find_periodic_sequences = load_function()
    ids, offsets = np.load(ids_path).astype(np.int64), np.load(offsets_path)
    seconds = []
    for _ in range(int(passes)):
        started = time.perf_counter()
        longest = [
            max((found.times for found in find_periodic_sequences(ids[start:end], max_period=MAX_PERIOD)), default=0)
            for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
        ]
        seconds.append(time.perf_counter() - started)
    np.save(output, np.array(longest, np.int64))
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
