"""Our stage `program` in memory: seconds per pass over all rows, and the values of each program that is kept.

Usage: python our_programs.py ROWS.jsonl.zst OUTPUT.json PASSES
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from dolmino_cli.bundled import find
from dolmino_cli.recipe import load_recipe
from dolmino_cli.shards.reading import read_batches


def main(rows: str, output: str, passes: str) -> None:
    """Write {row number: [result, assignments]}; print the seconds of every pass. Batches are those of a real run."""
    recipe = load_recipe(find("filters", "tinygsm"))
    (stage,) = recipe.edits
    batches = [batch for batch, _ in read_batches(rows, rows=recipe.rows)]
    seconds = []
    for _ in range(int(passes)):
        started = time.perf_counter()
        edited = [stage.edit(batch) for batch in batches]
        seconds.append(time.perf_counter() - started)
    metadata = [one for batch in edited for one in batch.metadata]
    found = {number: one["program"] for number, one in enumerate(metadata) if one is not None}
    kept = {number: [one["result"], one["assignments"]] for number, one in found.items()}
    Path(output).write_text(json.dumps(kept), encoding="utf-8")
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
