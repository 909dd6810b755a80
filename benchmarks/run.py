"""Run the benchmarks: every stage against what one would use instead, in one run on the same input.

Usage: .venv/bin/python benchmarks/run.py [--only retokenize,score] [--runs 3] [--tiny] [--write-readme]
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import re
import sys
import time
from pathlib import Path

from bench import HERE, MOST, Bench
from corpus import ROOT
from inputs import DISTINCT_SHARDS, Inputs, prepare
from measure import BenchmarkError
from tables import Section

CASES = (
    "startup",
    "retokenize",
    "fasttext",
    "score",
    "repetitions",
    "classifier",
    "filtering",
    "sampling",
    "tracing",
    "rows",
    "stackexchange",
    "decontamination",
    "arithmetic",
    "programs",
    "training",
    "souping",
)
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def main() -> int:
    """Exit code: 0 all bars met, 1 a bar missed or a benchmark failed."""
    arguments = _parse()
    output = ROOT / "bench-output"
    inputs = prepare(output, shards=MOST, tiny=arguments.tiny)
    bench = Bench(inputs=inputs, output=output, runs=arguments.runs)
    texts, measured, failed = [_preamble(inputs, runs=arguments.runs, tiny=arguments.tiny)], {}, []
    print(texts[0], flush=True)
    for name in arguments.only:
        started = time.monotonic()
        try:
            section: Section = importlib.import_module(f"cases.{name}").measure(bench)
            texts.append(section.markdown())
            measured[section.title] = section.markdown(measured=texts[0].strip())
            failed += [f"{name}: {bar.what}" for bar in section.bars if not bar.met]
        except BenchmarkError as error:
            texts.append(f"### {name}\n\nFAILED: {error}\n")
            failed.append(f"{name}: {str(error).splitlines()[0]}")
        print(texts[-1], f"({name} took {time.monotonic() - started:.0f} s)\n", sep="\n", flush=True)
    (output / "results.md").write_text("\n".join(texts), encoding="utf-8")
    if arguments.write_readme:
        _write_readme(measured)
    print("\n".join(["missed:", *failed]) if failed else "all bars met")
    return 1 if failed else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ",".join(CASES)
    parser.add_argument("--only", default=names, help=f"comma-separated, of {names}")
    parser.add_argument("--runs", type=int, default=3, help="counted runs per command and input size (default 3)")
    parser.add_argument("--tiny", action="store_true", help="a few MB of input: to see that everything runs, not to measure")
    parser.add_argument("--write-readme", action="store_true", help="put the results in the place of the README's")
    arguments = parser.parse_args()
    arguments.only = arguments.only.split(",")
    if arguments.write_readme and arguments.tiny:
        parser.error("--write-readme is for runs on the whole input; leave out --tiny")
    if unknown := [name for name in arguments.only if name not in CASES]:
        parser.error(f"unknown benchmark {', '.join(unknown)}; allowed: {names}")
    return arguments


def _preamble(inputs: Inputs, *, runs: int, tiny: bool) -> str:
    cpus = [line.split(": ")[1] for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    machine = f"{len(os.sched_getaffinity(0))} cores of {[*cpus, platform.machine()][0]}, Python {platform.python_version()}"
    what = "real documents" if inputs.real else "generated documents"
    text, jsonl = (inputs.megabytes(DISTINCT_SHARDS, of=of) for of in ("text", "jsonl"))
    size = f"{inputs.count(DISTINCT_SHARDS):,} {what} in {DISTINCT_SHARDS} shards, {text:.1f} MB of text, {jsonl:.1f} MB of JSONL"
    lines = [f"{time.strftime('%Y-%m-%d')}, {machine}. {runs} counted runs. Input: {size}."]
    return "\n\n".join([*lines, *(["**Tiny input: these numbers measure nothing.**"] if tiny else [])]) + "\n"


def _write_readme(measured: dict[str, str]) -> None:
    """Put the sections, by title, in the place of those of earlier runs, and new ones behind them."""
    path = HERE / "README.md"
    before, rest = path.read_text(encoding="utf-8").split(BEGIN)
    earlier, after = rest.split(END)
    parts = re.split(r"^(?=### )", earlier.strip(), flags=re.MULTILINE)
    sections = {part.splitlines()[0].removeprefix("### "): f"{part.strip()}\n" for part in parts if part}
    path.write_text(f"{before}{BEGIN}\n\n{chr(10).join((sections | measured).values())}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
