"""Documents a second of a filter with 1 and with 2 workers, where the stages are what takes the time. Bar: 1.8 times.

Usage: scaling.py TEXT_FOLDER TOKENIZER.json [ROUNDS] - shards below TEXT_FOLDER are read once and written as 8 equal shards.
Rounds alternate, so that what else the machine does meets both. Prints JSON; start-up is not counted.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import zstandard

import dolmino_cli.executors.imported_first  # noqa: F401 - as the command does
from dolmino_cli.executors.local import Local, start_early
from dolmino_cli.pipeline import PRELOAD
from dolmino_cli.pipeline.run import execute, plan_run
from dolmino_cli.pipeline.shard_task import Options
from dolmino_cli.recipe import Recipe, load_recipe
from dolmino_cli.shards.listing import list_shards
from dolmino_cli.shards.reading import read_batches

SHARDS, SHARD_BYTES = 8, 24_000_000
RECIPE = """
name: scaling
stages:
  - repeated_ngrams: {{tokenizer: {tokenizer}, into: repetitions}}
  - keep: {{score: repetitions, below: 32, reason: repeated_ngrams}}
"""


def make_shards(text: str, folder: Path) -> None:
    """Shards of the same size from real documents, which are repeated where there are too few."""
    records = [
        record.as_py()
        for shard in list_shards([text])
        for batch, _ in read_batches(shard, on_error="quarantine")
        for record in batch.record
    ]
    endless = itertools.cycle(records)
    folder.mkdir()
    for number in range(SHARDS):
        lines, size = [], 0
        while size < SHARD_BYTES:
            lines.append(next(endless))
            size += len(lines[-1]) + 1
        (folder / f"{number}.jsonl.zst").write_bytes(zstandard.compress(b"\n".join(lines) + b"\n"))


def documents_per_second(recipe: Recipe, inputs: Path, output: Path, workers: int) -> float:
    """From the first shard done to the last: each worker has one less than it would have alone."""
    run = plan_run(recipe, list_shards([str(inputs)]), str(output), Options())
    times, documents = [], []
    for entry in execute(run, Local(workers=workers)):
        times.append(time.perf_counter())
        documents.append(entry.counts["in"])
    # The first shard of each worker has its start in it.
    return sum(documents[workers:]) / (times[-1] - times[workers - 1])


def main(text: str, tokenizer: str, rounds: int) -> None:
    """Measure and print."""
    start_early(PRELOAD)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "scaling.yaml").write_text(RECIPE.format(tokenizer=tokenizer))
        recipe = load_recipe(place / "scaling.yaml")
        make_shards(text, place / "in")
        rates: dict[int, list[float]] = {1: [], 2: []}
        for number in range(rounds):
            for workers in (1, 2):
                output = place / f"out-{number}-{workers}"
                rates[workers].append(documents_per_second(recipe, place / "in", output, workers))
        ratios = [two / one for one, two in zip(rates[1], rates[2], strict=True)]
        print(json.dumps({"documents/s": rates, "2 workers / 1": ratios, "median": statistics.median(ratios)}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 5)
