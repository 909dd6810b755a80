"""Training speed on one GPU, ours and OLMo-core's in one run. By hand: python benchmarks/gpu/run.py [--only 1b,llm-jp] [--smoke]

One process per case. Results are appended to --output as they come (JSON lines), and printed as a table at the end.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.gpu.cases import GROUPS, Case, smoke  # noqa: E402

COLUMNS = ("tokens/s", "MFU full", "MFU causal", "peak GiB", "s to steady", "loss")


def main() -> int:
    """Exit 1 when a case failed for another reason than memory."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", default=",".join(GROUPS), help="groups of cases: " + ", ".join(GROUPS))
    options.add_argument("--smoke", action="store_true", help="tiny shapes on whatever there is, a CPU too")
    options.add_argument("--minutes", type=float, default=60, help="start no case after so long")
    options.add_argument("--output", type=Path, default=ROOT / "bench-output" / "gpu.jsonl")
    chosen = options.parse_args()
    cases = smoke() if chosen.smoke else [case for name in chosen.only.split(",") for case in GROUPS[name]()]
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    rows, failed, started = [], 0, time.monotonic()
    for case in cases:
        if case.engine == "olmo-core" and importlib.util.find_spec("olmo_core") is None:
            found: dict[str, Any] = {"left_out": "ai2-olmo-core is not installed"}
        elif time.monotonic() - started > chosen.minutes * 60:
            found = {"left_out": "no time left"}
        else:
            found = _measured(case)
        failed += "error" in found
        rows.append((case, found))
        with chosen.output.open("a") as file:
            file.write(json.dumps({**asdict(case), **found}) + "\n")
        print(_row(case, found), flush=True)
    print("\n" + "\n".join(["| case | " + " | ".join(COLUMNS) + " |", "| --- |" + " --: |" * len(COLUMNS)]))
    print("\n".join(_row(case, found) for case, found in rows))
    return 1 if failed else 0


def _measured(case: Case) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.gpu.measure", json.dumps(asdict(case))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 0:
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result
    if "OutOfMemoryError" in done.stderr:
        return {"left_out": "out of memory"}
    print(done.stderr[-4000:], file=sys.stderr)
    return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1][:200]}


def _row(case: Case, found: dict[str, Any]) -> str:
    parts = [case.engine, case.shape, f"{case.sequence_length}x{case.micro_batch}"]
    parts += [f"{case.layers} layers"] if case.layers else []
    parts += [f"recompute {case.recompute}"] if case.recompute != "none" else []
    parts += [f"chunks {case.head_chunk_tokens}"] if case.head_chunk_tokens != 4096 else []
    parts += ["eager"] if not case.compile else []
    name = " ".join(parts)
    if "tokens_per_second" not in found:
        return f"| {name} | {found.get('left_out') or found['error']}" + " |" * (len(COLUMNS) + 1)
    share = ["" if found[key] is None else f"{found[key]:.1%}" for key in ("mfu_full", "mfu_causal")]
    cells = [f"{found['tokens_per_second']:,.0f}", *share, f"{found['peak_allocated_gib']:.1f}"]
    cells += [f"{found['seconds_to_steady']:.0f}", f"{found['first_loss']:.3f} to {found['last_loss']:.3f}"]
    return f"| {name} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
