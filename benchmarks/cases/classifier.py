"""A Transformer classifier: our stage, and the loop that one writes with transformers, with the same model on the same documents.

On a CPU, one core, by CPU time: one thread computes all the while, and other work on the machine counts less. On a GPU, where
PyTorch sees one, more documents and also the loop in order of length.
"""

from __future__ import annotations

import os
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench import HERE, SMALL, Bench
from measure import BenchmarkError, run_kernel
from tables import Bar, Section

HEADER = ("model", "what", "documents/s, of 1 core or GPU (range)", "tokens/s", "largest difference of scores")
OURS = "dolmino classifier stage"
LOOP = "transformers, batches of 32"
TOLERANCE = 1e-4


@dataclass(frozen=True, kw_only=True)
class Case:
    """A BERT of random weights, and how many documents are worth a measurement."""

    name: str
    layers: int
    hidden: int
    documents: int
    device: str = "cpu"


def measure(bench: Bench) -> Section:
    """float32 scores are the loop's own to 1e-4, document by document; narrower ones are reported."""
    rows: list[tuple[str, ...]] = []
    bars: list[Bar] = []
    notes = []
    for case in _cases():
        folder = bench.output / "runs" / f"classifier-{case.layers}-{case.hidden}-{case.documents}"
        made = _make(bench, case, folder)
        measured = _measure(bench, case, folder)
        rows += measured[0]
        bars += measured[1]
        notes.append(f"{case.name}: {made}")
    if not torch.cuda.is_available():
        notes.append("No GPU here: nothing was measured on one.")
    if not _native_bfloat16():
        notes.append("This CPU multiplies no bfloat16 (neither AMX nor AVX512_BF16): only float32 was measured.")
    return Section(title="Transformer classifier", header=HEADER, rows=rows, bars=bars, notes=notes)


def _cases() -> list[Case]:
    cases = [
        Case(name="6 layers x 384 (22 M parameters)", layers=6, hidden=384, documents=256),
        Case(name="Arctic-Embed-M's shape, 12 x 768 (110 M)", layers=12, hidden=768, documents=64),
    ]
    if torch.cuda.is_available():
        cases.append(Case(name="Arctic-Embed-M's shape, on the GPU", layers=12, hidden=768, documents=16_384, device="cuda"))
    return cases


def _make(bench: Bench, case: Case, folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    shard = bench.inputs.folder(SMALL) / "shard-0000.jsonl.zst"
    arguments = [str(shard), str(case.documents), str(folder), str(case.layers), str(case.hidden)]
    facts = _run(bench, folder, case, "kernels/make_classifier.py", *arguments)
    return (
        f"{facts['documents']:,} web documents, {facts['text_bytes'] / facts['documents'] / 1e3:.1f} kB of text each on average"
    )


def _measure(bench: Bench, case: Case, folder: Path) -> tuple[list[tuple[str, ...]], list[Bar]]:
    dtypes = ["float32", "bfloat16"] if case.device == "cuda" or _native_bfloat16() else ["float32"]
    loops = [(dtype, order) for dtype in (dtypes if case.device == "cuda" else ["float32"]) for order in _orders(case)]
    where = [str(folder), case.device]
    seconds: dict[str, list[float]] = {}
    scores: dict[str, np.ndarray] = {}
    facts: dict[str, Any] = {}
    for _ in range(bench.runs):
        for dtype, order in loops:
            name, output = f"{LOOP}, {dtype}, in order of {order}", folder / "loop.npy"
            run = _run(bench, folder, case, "peers/transformers_loop.py", *where, dtype, order, str(output))
            seconds.setdefault(name, []).append(run["seconds"])
            scores[name] = np.load(output)
        for dtype in dtypes:
            name, output = f"{OURS}, {dtype}", folder / "ours.npy"
            facts = _run(bench, folder, case, "kernels/our_classifier.py", *where, dtype, str(output))
            seconds.setdefault(name, []).append(facts["seconds"])
            scores[name] = np.load(output)
    plain = scores[f"{LOOP}, float32, in order of input"]
    rows = []
    for name, times in seconds.items():
        off = float(np.abs(scores[name] - plain).max())
        if "float32" in name and not off <= TOLERANCE:
            raise BenchmarkError(f"{case.name}, {name}: scores differ by {off:.2e}")
        middle, slowest, fastest = (case.documents / value for value in (statistics.median(times), max(times), min(times)))
        tokens = facts["tokens"] / statistics.median(times)
        rows.append((case.name, name, f"{middle:.2f} ({slowest:.2f}-{fastest:.2f})", f"{tokens:,.0f}", f"{off:.1e}"))
    return rows, _bars(case, {name: statistics.median(times) for name, times in seconds.items()}, facts["padding"])


def _bars(case: Case, seconds: dict[str, float], padding: float) -> list[Bar]:
    bars = [Bar(what=f"{case.name}: padding of our batches", value=100 * padding, unit="%", at_most=5)]
    if case.device == "cpu":
        naive = seconds[f"{LOOP}, float32, in order of input"]
        for dtype, bound in (("float32", 1.25), ("bfloat16", 3.5)):
            if own := seconds.get(f"{OURS}, {dtype}"):
                what = f"{case.name}: dolmino in {dtype} / transformers in float32"
                bars.append(Bar(what=what, value=naive / own, unit="x", at_least=bound))
        return bars
    own = seconds[f"{OURS}, bfloat16"]
    for order, bound in (("input", 3.0), ("length", 1.3)):
        ratio = seconds[f"{LOOP}, bfloat16, in order of {order}"] / own
        bars.append(
            Bar(what=f"{case.name}: dolmino / transformers in order of {order}, bfloat16", value=ratio, unit="x", at_least=bound)
        )
    return bars


def _orders(case: Case) -> list[str]:
    return ["input", "length"] if case.device == "cuda" else ["input"]


def _native_bfloat16() -> bool:
    features = torch.cpu.get_capabilities()
    return bool(features.get("amx_bf16") or features.get("avx512_bf16"))


def _run(bench: Bench, folder: Path, case: Case, script: str, *arguments: str) -> dict[str, Any]:
    # Beside a GPU all cores tokenize, in the loop as well.
    cores = len(os.sched_getaffinity(0)) if case.device == "cuda" else 1
    command = [sys.executable, str(HERE / script), *arguments]
    return run_kernel(command, environment=bench.environment, log=folder / "log", cores=cores)
