"""What Ray costs: the same filter over 64 MB shards by two local workers and by two of Ray, steady state.

    python benchmarks/cluster/ray_overhead.py [--shards 12] [--megabytes 64] [--rounds 3]

Shards are made of the sample data's real documents (DOLMINO_SHARED_DATA). Runs alternate. Start-up is left out: what counts
is from the fourth finished shard to the last one. Beside wall time stands the CPU time of all processes, those of Ray's own
included, which other work on the machine changes less. Exits 1 when Ray takes more than 10 % longer.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard

from dolmino_cli.executors.executor import Executor
from dolmino_cli.executors.local import Local
from dolmino_cli.executors.ray import Ray
from dolmino_cli.pipeline.run import execute, plan_run
from dolmino_cli.pipeline.shard_task import Options
from dolmino_cli.recipe import load_recipe
from dolmino_cli.shards.listing import list_shards
from dolmino_cli.shards.reading import read_batches

WORKERS = 2
STARTING = 4  # shards that are not counted
MOST_PERCENT = 10.0
SOURCES = ("wiki/enwiki-2021-*.jsonl.zst", "web/openwebtext-*.jsonl.zst", "web/dclm_annotated-*.jsonl.zst")
SHARED = Path(os.environ.get("DOLMINO_SHARED_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
RECIPE = """
name: overhead
stages:
  - repeated_ngrams: {tokenizer: TOKENIZER, into: repetitions, count_from: 16}
  - keep: {score: repetitions, below: 32, reason: repeated_ngrams}
"""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Of the shards that count, seconds of wall time and of CPU time per shard."""

    wall: float
    cpu: float


def make_inputs(folder: Path, *, shards: int, megabytes: int) -> None:
    """Shards of so many MB of JSONL, and the recipe."""
    lines = [line for line in _lines() if b"\n" not in line]
    endless = itertools.cycle(lines)
    for number in range(shards):
        path, size = folder / f"in/web-{number:03d}.jsonl.zst", 0
        path.parent.mkdir(parents=True, exist_ok=True)
        with zstandard.open(path, "wb") as file:
            for line in endless:
                size += file.write(line + b"\n")
                if size >= megabytes * 1_000_000:
                    break
    tokenizer = str(SHARED / "tokenizers" / "allenai_dolma2.json")
    (folder / "overhead.yaml").write_text(RECIPE.replace("TOKENIZER", json.dumps(tokenizer)))


def _lines() -> Iterator[bytes]:
    found = [str(path) for pattern in SOURCES for path in sorted(SHARED.glob(pattern))]
    for shard in list_shards(found):
        for batch, _ in read_batches(shard, on_error="quarantine"):
            for name, text in zip(batch.id.to_pylist(), batch.text.to_pylist(), strict=True):
                yield json.dumps({"id": name, "text": text}, ensure_ascii=False).encode()


def run(executor: Executor, folder: Path) -> Measured:
    """Filter all shards and forget what was written."""
    output = folder / "out"
    plan = plan_run(load_recipe(folder / "overhead.yaml"), list_shards([str(folder / "in")]), str(output), Options())
    seen = [(time.perf_counter(), cpu_seconds()) for _ in execute(plan, executor)]
    shutil.rmtree(output)
    counted = len(seen) - STARTING
    (wall, cpu), (last_wall, last_cpu) = seen[STARTING - 1], seen[-1]
    return Measured(wall=(last_wall - wall) / counted, cpu=(last_cpu - cpu) / counted)


def cpu_seconds() -> float:
    """Of this process and all below it: those of a cluster that it started, too."""
    ticks, parents = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks[int(path.name)], parents[int(path.name)] = int(fields[11]) + int(fields[12]), int(fields[1])
    return sum(ticks[number] for number in ticks if _is_below(number, parents)) / os.sysconf("SC_CLK_TCK")


def _is_below(number: int, parents: dict[int, int]) -> bool:
    while number in parents and number != os.getpid():
        number = parents[number]
    return number == os.getpid()


def main() -> int:
    """Measure, print a table, and say whether Ray is near enough."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=12)
    parser.add_argument("--megabytes", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ray-overhead-") as folder:
        make_inputs(Path(folder), shards=given.shards, megabytes=given.megabytes)
        found: dict[str, list[Measured]] = {"local": [], "ray": []}
        for _ in range(given.rounds):
            found["local"].append(run(Local(workers=WORKERS), Path(folder)))
            found["ray"].append(run(Ray(address="local", asked_workers=WORKERS), Path(folder)))
            print({name: runs[-1] for name, runs in found.items()}, flush=True)
    percent = {}
    for what in ("wall", "cpu"):
        local, ray = (statistics.median(getattr(one, what) for one in found[name]) for name in ("local", "ray"))
        percent[what] = 100 * (ray / local - 1)
        print(f"{what:>4} seconds per shard of {given.megabytes} MB: local {local:.3f}, Ray {ray:.3f}: {percent[what]:+.1f} %")
    return int(percent["wall"] > MOST_PERCENT)


if __name__ == "__main__":
    sys.exit(main())
