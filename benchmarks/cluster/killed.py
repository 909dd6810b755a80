"""How much is done again when the one worker of a large shard is killed again and again.

`python benchmarks/cluster/killed.py FOLDER --texts SHARDS` makes a shard of 2 GB (plain) of the texts' documents, filters it once
undisturbed, and once with `kill -9` at ten random moments, each time going on with the same command. Prints the documents that
went through the stages twice, in parts, and whether the outputs are the same byte for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from dolmino_cli.shards.listing import list_shards
from dolmino_cli.shards.reading import read_batches
from dolmino_cli.shards.writing import joined

RECIPE = """
name: killed
stages:
  - length: {unit: characters, into: characters}
  - keep: {score: characters, at_least: 500, reason: short}
"""
# `dolmino`, noting how many documents went through the stages.
COUNTED = """
import os, sys
from dolmino_cli.pipeline import through_stages
evaluate, notes = through_stages.evaluate, os.open(os.environ["NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def counting(recipe, batch, **more):
    found = evaluate(recipe, batch, **more)
    os.write(notes, f"{len(batch)}\\n".encode())
    return found
through_stages.evaluate = counting
from dolmino_cli.cli.main import main
sys.exit(main())
"""


def make_shard(texts: str, path: Path, size: int) -> int:
    """Repeat the documents of `texts` until there are `size` bytes; returns how many documents there are."""
    pieces, counts = [], []
    for shard in list_shards([texts]):
        for batch, _ in read_batches(shard, on_error="quarantine"):
            if len(batch) and str(batch.record.type) == "large_binary":
                pieces.append(bytes(joined(batch.record)))
                counts.append(len(batch))
        if sum(map(len, pieces)) >= 100 << 20:
            break
    path.parent.mkdir(parents=True, exist_ok=True)
    written = documents = 0
    with path.open("wb") as file:
        while written < size:
            for piece, count in zip(pieces, counts, strict=True):
                if written >= size:
                    break
                written += file.write(piece)
                documents += count
    return documents


def command(folder: Path, output: str, part_size: str) -> list[str]:
    """The filter run over the shard."""
    verb = ["filter", str(folder / "recipe.yaml"), str(folder / "in"), "-o", str(folder / output), "--part-size", part_size]
    return [sys.executable, "-c", COUNTED, *verb]


def tree(folder: Path) -> dict[str, str]:
    """sha256 of every file but the records, which hold times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and not name.startswith("ledger/") and name != "run.json":
            with path.open("rb") as file:
                found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def run(folder: Path, output: str, part_size: str, kill_at: int | None) -> bool:
    """Whether the run came to its end before `kill_at` documents had gone through the stages, in all runs of `output`."""
    environment = {**os.environ, "NOTES": str(folder / f"{output}.notes")}
    process = subprocess.Popen(
        command(folder, output, part_size), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None:
        time.sleep(0.01)
        if kill_at is not None and noted(folder, output) >= kill_at:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return False
    assert process.returncode == 0, "the run failed"
    return True


def noted(folder: Path, output: str) -> int:
    """Documents that went through the stages in all runs of `output`."""
    notes = folder / f"{output}.notes"
    return sum(map(int, notes.read_text().split())) if notes.exists() else 0


def main() -> None:
    """Make the shard, run, kill, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--bytes", type=int, default=2_000_000_000)
    parser.add_argument("--part-size", default="256MiB")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    folder: Path = given.folder
    documents = make_shard(given.texts, folder / "in/shard.jsonl", given.bytes)
    (folder / "recipe.yaml").write_text(RECIPE)
    started = time.monotonic()
    assert run(folder, "undisturbed", given.part_size, None)
    seconds = time.monotonic() - started
    assert noted(folder, "undisturbed") == documents
    draw = random.Random(given.seed)
    points = sorted(draw.randrange(documents) for _ in range(given.kills))
    kills = sum(not run(folder, "killed", given.part_size, point) for point in points)
    run(folder, "killed", given.part_size, None)
    again = noted(folder, "killed") - documents
    parts = json.loads((folder / "undisturbed/run.json").read_text())["input_bytes"] / (documents or 1)
    part_bytes = json.loads((folder / "undisturbed/run.json").read_text())["options"]["part_bytes"]
    print(f"{documents:,} documents, {seconds:.0f} s undisturbed; {kills} kills: {again:,} documents done again", end=" ")
    print(f"= {again * parts / part_bytes:.2f} parts of {part_bytes:,} bytes")
    same = tree(folder / "undisturbed") == tree(folder / "killed")
    print("outputs are the same byte for byte" if same else "OUTPUTS DIFFER")


if __name__ == "__main__":
    main()
