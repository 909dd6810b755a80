"""Repeated n-grams in memory, one core: our decision on token arrays, OLMo-core's find_periodic_sequences on the same."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import numpy as np
from bench import HERE, LARGE, Bench
from measure import BenchmarkError, run_kernel
from tables import Bar, Section

BOUND = 32
OURS = "dolmino repeated_ngrams kernel"
OUR_WINDOWS = "dolmino sample's search, windows of 4,096"
OLMO_CORE = "OLMo-core find_periodic_sequences"
HEADER = ("kernel", "M tokens/s, 1 core (range)")


def measure(bench: Bench) -> Section:
    """The same documents have a unit of 1..13 tokens 32 times in a row."""
    folder = bench.output / "runs" / "repetitions"
    folder.mkdir(parents=True, exist_ok=True)
    arrays = _token_arrays(bench, folder)

    def run(python: str, script: str, passes: int) -> tuple[list[float], np.ndarray]:
        found = folder / f"{Path(script).stem}.npy"
        command = [python, str(HERE / script), *map(str, arrays), str(found), str(passes)]
        return run_kernel(command, environment=bench.environment, log=folder / "log")["seconds"], np.load(found)

    first, our_longest = run(sys.executable, "kernels/our_repeats.py", bench.passes + 1)
    ours = first[1:]  # compiled code is loaded, buffers are there
    theirs, their_longest = run(bench.peer("olmo-core", "python"), "peers/olmo_core_repeats.py", bench.runs)
    _check(our_longest, their_longest)
    million = np.load(arrays[0], mmap_mode="r").size / 1e6
    command = [sys.executable, str(HERE / "kernels/our_windows.py"), str(arrays[0]), str(bench.passes + 1)]
    windows = run_kernel(command, environment=bench.environment, log=folder / "log")
    rows = [
        (name, f"{million / statistics.median(seconds):.1f} ({million / max(seconds):.1f}-{million / min(seconds):.1f})")
        for name, seconds in ((OURS, ours), (OUR_WINDOWS, windows["seconds"][1:]), (OLMO_CORE, theirs))
    ]
    ratio = statistics.median(theirs) / statistics.median(ours)
    bars = [Bar(what=f"{OURS} / {OLMO_CORE}", value=ratio, unit="x", at_least=100)]
    flagged = int((our_longest >= BOUND).sum())
    documents = f"{million:.1f} M tokens, {len(our_longest):,} documents"
    masked = f"{windows['found']:,} of {windows['windows']:,} windows have them too"
    note = f"{documents}; the same {flagged} have {BOUND} repeats or more, with the same counts; {masked}."
    return Section(title="Repeated n-grams, in memory", header=HEADER, rows=rows, bars=bars, notes=[note])


def _token_arrays(bench: Bench, folder: Path) -> tuple[Path, Path]:
    """Ids and offsets of the whole input, made once."""
    ids, offsets = (folder / f"{what}-{bench.inputs.root.name}.npy" for what in ("ids", "offsets"))
    if not offsets.exists():
        maker = [sys.executable, str(HERE / "kernels" / "make_tokens.py"), str(bench.inputs.folder(LARGE))]
        command = [*maker, str(bench.inputs.tokenizer), str(ids), str(offsets)]
        run_kernel(command, environment=bench.environment, log=folder / "log")
    return ids, offsets


def _check(ours: np.ndarray, theirs: np.ndarray) -> None:
    """From the bound on, all counts must be the same; below it, ours need not look."""
    a, b = (np.where(longest >= BOUND, longest, 0) for longest in (ours, theirs))
    different = np.flatnonzero(a != b)
    if len(different):
        at = int(different[0])
        raise BenchmarkError(
            f"{len(different)} documents differ, such as number {at}: {ours[at]} repeats by us, {theirs[at]} by them"
        )
