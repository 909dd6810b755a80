"""What a run of many shards costs apart from their content: listing, planning, a rerun of a finished run, its summary.

Usage: ledger_and_listing.py FOLDER|s3://BUCKET/PREFIX SHARDS... - makes shards of one document and their ledger entries there.
Prints a line of JSON for each number of shards: seconds, and peak memory of this process in MB so far.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import dolmino_cli.executors.imported_first  # noqa: F401 - as the command does
from dolmino_cli.executors.attempt import attempt_all
from dolmino_cli.executors.executor import Phase
from dolmino_cli.executors.local import Local, start_early
from dolmino_cli.pipeline import PRELOAD
from dolmino_cli.pipeline.run import Run, finish, plan_run
from dolmino_cli.pipeline.shard_task import Options, ShardTask, run_shard
from dolmino_cli.recipe import Recipe, load_recipe
from dolmino_cli.shards import ledger
from dolmino_cli.shards.listing import list_shards
from dolmino_cli.shards.output import Output

RECIPE = """
name: small
stages:
  - length: {unit: characters, into: characters}
  - keep: {score: characters, at_least: 3, reason: short}
"""
DOCUMENT = b'{"id": "a", "text": "hello"}\n'


def nothing(task: ShardTask) -> int:
    """Stands in for a task that takes no time."""
    return len(task.shard.name)


def make_shards(root: str, shards: int) -> None:
    """Write the inputs."""
    output = Output(root)
    with ThreadPoolExecutor(16) as writing:
        list(writing.map(lambda number: output.put(f"shard-{number:06d}.jsonl", DOCUMENT), range(shards)))


def simulate(run: Run) -> None:
    """Do one task, and write its entry for all others."""
    entry, output = run_shard(run.tasks[0]), Output(run.output)

    def save(task: ShardTask) -> None:
        ledger.save(output, dataclasses.replace(entry, name=task.shard.name, input=ledger.input_identity(task.shard)))

    with ThreadPoolExecutor(16) as writing:
        list(writing.map(save, run.tasks[1:]))


def measure(root: str, shards: int, recipe: Recipe) -> dict[str, float]:
    """Seconds of each step, of a run of `shards` shards below `root`."""
    inputs, outputs, seconds = f"{root}/in-{shards}", f"{root}/out-{shards}", dict[str, float]()

    @contextmanager
    def timed(what: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        seconds[what] = round(time.perf_counter() - started, 3)

    make_shards(inputs, shards)
    with timed("list"):
        found = list_shards([inputs])
    plan: Callable[[], Run] = lambda: plan_run(recipe, found, outputs, Options())  # noqa: E731
    with timed("plan"):
        run = plan()
    with timed("hand out"):
        phase = Phase(name="nothing", name_of=lambda task: task.shard.name)
        tasks = attempt_all(Local(workers=2), nothing, run.tasks, phase=phase, what="shards", preload=PRELOAD)
        done = sum(1 for _ in tasks)
    assert done == shards
    simulate(run)
    with timed("plan of a finished run"):
        run = plan()
    assert not run.tasks and len(run.finished) == shards
    with timed("summary"):
        finish(run)
    return {"shards": shards, **seconds, "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def main(root: str, counts: list[int]) -> None:
    """Measure for each number of shards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "small.yaml")
        path.write_text(RECIPE)
        recipe = load_recipe(path)
    start_early(PRELOAD)
    for shards in counts:
        print(json.dumps(measure(root, shards, recipe)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"), [int(count) for count in sys.argv[2:]])
