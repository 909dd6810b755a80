"""Sample without tokens: selecting and ordering 1, 10 and 100 million documents, each an id and a length, in 4 GiB."""

from __future__ import annotations

import sys

from bench import HERE, Bench
from measure import run_kernel
from tables import Bar, Section

MEMORY_MIB = 4096
SIZES = (1_000_000, 10_000_000, 100_000_000)
TINY_SIZES = (10_000, 100_000)
HEADER = (
    "documents",
    "parts",
    "wall s",
    "documents/s",
    "CPU s",
    "select s",
    "sort s",
    "merge s",
    "peak RSS MB",
    "scratch bytes/document",
)


def measure(bench: Bench) -> Section:
    """One worker; every size once, all through `mix_rows` and `gather` as a real mix goes, with a reader that makes rows."""
    rows, found = [], []
    for documents in TINY_SIZES if "tiny" in bench.inputs.root.name else SIZES:
        scratch = bench.output / "runs" / "rows"
        command = [sys.executable, str(HERE / "kernels" / "our_rows.py"), str(documents), str(MEMORY_MIB), str(scratch)]
        result = run_kernel(command, environment=bench.environment, log=bench.output / "runs" / "rows.log")
        found.append(result)
        seconds = [f"{result[key]:.1f}" for key in ("select", "sort", "merge")]
        rate, per_document = documents / result["seconds"], result["scratch_bytes"] / result["taken"]
        cells = (
            f"{documents:,}",
            f"{result['parts']:,}",
            f"{result['seconds']:.1f}",
            f"{rate:,.0f}",
            f"{result['cpu']:.1f}",
            *seconds,
        )
        rows.append((*cells, f"{result['peak_mb']:.0f}", f"{per_document:.0f}"))
    largest, before = found[-1], found[-2]
    cpu = [result["cpu"] / result["documents"] for result in (largest, before)]
    bars = [
        Bar(what="peak RSS, largest", value=largest["peak_mb"], unit="MB", at_most=(MEMORY_MIB << 20) / 1e6),
        Bar(what="CPU seconds per document, largest / the one before", value=cpu[0] / cpu[1], unit="x", at_most=1.5),
    ]
    note = (
        "99 % of the documents are taken. The wall time of the largest is the disk's, which its scratch fills."
        " Reading real indexes comes on top: 1.5 to 1.8M rows/s, to unpack and parse them."
    )
    return Section(title="Sample, rows alone", header=HEADER, rows=rows, bars=bars, notes=[note])
