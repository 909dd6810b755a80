"""TinyGSM's programs in memory, one core: our evaluator, and a script that executes them in a worker process."""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import zstandard
from bench import HERE, Bench
from corpus import ROOT
from measure import BenchmarkError, run_kernel
from reading import read_shard
from tables import Bar, Section

OURS = "dolmino program stage"
SCRIPT = "exec in a worker process"
HEADER = ("kernel", "rows/s, 1 core (range)")
MADE_ROWS = 7000


def measure(bench: Bench) -> Section:
    """Of what both keep, the same results and as many assignments; the script keeps more: to it, lists are values, too."""
    folder = bench.output / "runs" / "programs"
    folder.mkdir(parents=True, exist_ok=True)
    path, rows = _rows(folder)
    seconds, kept = {}, {}
    for name, script in ((OURS, "kernels/our_programs.py"), (SCRIPT, "peers/exec_programs.py")):
        output = folder / f"{Path(script).stem}.json"
        command = [sys.executable, str(HERE / script), str(path), str(output), str(bench.passes + 1)]
        seconds[name] = run_kernel(command, environment=bench.environment, log=folder / "log")["seconds"][1:]  # warm
        kept[name] = json.loads(output.read_text(encoding="utf-8"))
    _check(kept[OURS], kept[SCRIPT])
    table = [
        (name, f"{rows / statistics.median(times):,.0f} ({rows / max(times):,.0f}-{rows / min(times):,.0f})")
        for name, times in seconds.items()
    ]
    ours, script_seconds = (statistics.median(seconds[name]) for name in (OURS, SCRIPT))
    bars = [
        Bar(what=OURS, value=rows / ours, unit="rows/s", at_least=3000),
        Bar(what=f"{OURS} / {SCRIPT}", value=script_seconds / ours, unit="x", at_least=1.5),
    ]
    note = (
        f"{rows:,} answers; we keep {len(kept[OURS]):,}, with the same results as the script, which keeps {len(kept[SCRIPT]):,}."
    )
    return Section(title="Programs of assignments, in memory", header=HEADER, rows=table, bars=bars, notes=[note])


def _check(ours: dict[str, list[object]], theirs: dict[str, list[object]]) -> None:
    both = ours.keys() & theirs.keys()
    different = [number for number in both if ours[number] != theirs[number]]
    if different or len(both) < 0.98 * len(ours):
        raise BenchmarkError(
            f"of {len(ours)} programs that we keep, {len(both)} are kept by the script, {len(different)} with other results"
        )


def _rows(folder: Path) -> tuple[Path, int]:
    """All rows in one file, made once: the sample data's, or made ones on a machine without it."""
    path = folder / "rows.jsonl.zst"
    shared = Path(os.environ.get("DOLMINO_SHARED_DATA", ROOT.parent / "shared" / "data")) / "tinygsm"
    files = sorted(shared.glob("*.jsonl.zst"))
    rows = [json.dumps(row) for file in files for row in read_shard(file)] or list(_made())
    path.write_bytes(zstandard.ZstdCompressor().compress("".join(f"{row}\n" for row in rows).encode()))
    return path, len(rows)


def _made() -> Iterator[str]:
    for number in range(MADE_ROWS):
        question = f"A shop has {number} boxes of 12 pens, and sells a third of the pens. How many pens are left?"
        lines = [
            f'"""{question}"""',
            f"boxes = {number}",
            "pens = boxes * 12  # in all",
            "sold = pens / 3",
            "result = pens - sold",
        ]
        code = "\n".join(["def f() -> float:", *(f"    {line}" for line in [*lines, "return result"])])
        answer = f"```python\n{code}\n```\nThis subtracts what was sold."
        yield json.dumps({"user": question, "assistant": answer, "dataset": "made", "original_index": number})
