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
OURS_FOLLOWING = "dolmino fasttext stage, long_documents: as_fasttext"
# Of the default, and of as_fasttext, to the package: see docs/stages.md.
TOLERANCE_FOLDED, TOLERANCE_FOLLOWING = 1e-4, 2e-6


def measure(bench: Bench) -> Section:
    """The same label on every document, scores within the tolerances; `passes` passes each, the first not counted."""
    folder = bench.output / "runs" / "fasttext"
    folder.mkdir(parents=True, exist_ok=True)
    arguments = [str(bench.inputs.folder(SMALL) / "shard-0000.jsonl.zst"), str(bench.inputs.model), LABEL]

    def run(script: str, *more: str) -> tuple[dict[str, Any], np.ndarray]:
        scores = folder / f"{'-'.join([script.split('/')[1], *more])}.npy"
        command = [sys.executable, str(HERE / script), *arguments, str(scores), str(bench.passes), *more]
        return run_kernel(command, environment=bench.environment, log=folder / "log"), np.load(scores)

    (ours, our_scores), (theirs, their_scores) = run("kernels/our_fasttext.py"), run("peers/fasttext_package.py")
    following, following_scores = run("kernels/our_fasttext.py", "as_fasttext")
    off = _check(our_scores, their_scores, TOLERANCE_FOLDED)
    off_following = _check(following_scores, their_scores, TOLERANCE_FOLLOWING)
    seconds = {
        OURS: ours["seconds"],
        OURS_FOLLOWING: following["seconds"],
        **{f"fasttext package, {way}": passes for way, passes in theirs["seconds"].items()},
    }
    megabytes = bench.inputs.megabytes(SMALL)
    speeds = {name: megabytes / statistics.median(passes[1:]) for name, passes in seconds.items()}
    rows = [
        (name, f"{speeds[name]:.1f} ({megabytes / max(passes[1:]):.1f}-{megabytes / min(passes[1:]):.1f})")
        for name, passes in seconds.items()
    ]
    ratio = speeds[OURS] / max(speed for name, speed in speeds.items() if name.startswith("fasttext package"))
    bars = [Bar(what="dolmino / fasttext package, in its faster way, per core", value=ratio, unit="x", at_least=3)]
    beyond = int((np.abs(our_scores - their_scores) > TOLERANCE_FOLLOWING).sum())
    note = (
        f"Same label on all {len(our_scores):,} documents. Largest difference of scores {off:.1e} "
        f"({beyond} documents over 2e-6), as_fasttext {off_following:.1e}."
    )
    return Section(title="fastText, in memory", header=HEADER, rows=rows, bars=bars, notes=[note])


def _check(ours: np.ndarray, theirs: np.ndarray, allowed: float) -> float:
    """The largest difference of scores. Raises BenchmarkError for one over `allowed`, and for any other label."""
    if len(ours) != len(theirs):
        raise BenchmarkError(f"{len(ours)} scores of ours, {len(theirs)} of theirs")
    off = float(np.abs(ours - theirs).max())
    flips = int(((ours >= 0.5) != (theirs >= 0.5)).sum())
    if flips or not off <= allowed:
        raise BenchmarkError(f"{flips} labels differ; the largest difference is {off:.2e}, allowed {allowed:g}")
    return off
