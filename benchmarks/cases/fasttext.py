"""fastText in memory, one core: our stage on batches, the fasttext package on the same documents; no reading, no writing."""

from __future__ import annotations

import statistics
import sys
from typing import Any

import numpy as np
from bench import HERE, SMALL, Bench
from measure import BenchmarkError, run_kernel
from tables import Bar, Section

OURS = "dolmino fasttext stage"
LABEL = "__label__hq"
HEADER = ("kernel", "MB/s of text, 1 core (range)")
TOLERANCE = 2e-6


def measure(bench: Bench) -> Section:
    """Scores within 2e-6 and the same label on every document; `passes` passes each, the first not counted."""
    folder = bench.output / "runs" / "fasttext"
    folder.mkdir(parents=True, exist_ok=True)
    arguments = [str(bench.inputs.folder(SMALL) / "shard-0000.jsonl.zst"), str(bench.inputs.model), LABEL]

    def run(script: str) -> tuple[dict[str, Any], np.ndarray]:
        scores = folder / f"{script.split('/')[1]}.npy"
        command = [sys.executable, str(HERE / script), *arguments, str(scores), str(bench.passes)]
        return run_kernel(command, environment=bench.environment, log=folder / "log"), np.load(scores)

    (ours, our_scores), (theirs, their_scores) = run("kernels/our_fasttext.py"), run("peers/fasttext_package.py")
    off = np.abs(our_scores - their_scores).max()
    flips = int(((our_scores >= 0.5) != (their_scores >= 0.5)).sum())
    if len(our_scores) != len(their_scores) or flips or not off <= TOLERANCE:
        raise BenchmarkError(f"{flips} labels differ; the largest difference is {off:.2e}, allowed {TOLERANCE:g}")
    seconds = {OURS: ours["seconds"], **{f"fasttext package, {way}": passes for way, passes in theirs["seconds"].items()}}
    megabytes = bench.inputs.megabytes(SMALL)
    speeds = {name: megabytes / statistics.median(passes[1:]) for name, passes in seconds.items()}
    rows = [
        (name, f"{speeds[name]:.1f} ({megabytes / max(passes[1:]):.1f}-{megabytes / min(passes[1:]):.1f})")
        for name, passes in seconds.items()
    ]
    ratio = speeds[OURS] / max(speed for name, speed in speeds.items() if name != OURS)
    bars = [Bar(what="dolmino / fasttext package, in its faster way, per core", value=ratio, unit="x", at_least=3)]
    note = f"Same label on all {len(our_scores):,} documents; largest difference of scores {off:.1e}."
    return Section(title="fastText, in memory", header=HEADER, rows=rows, bars=bars, notes=[note])
