"""What a worker's memory goes by: `python benchmarks/cluster/memory.py FOLDER --texts SHARDS`.

Prints the peak of `dolmino filter` over 1 shard and over 100, over a shard with a document of 500 MB under a ceiling, and what
documents of 100 MB take in several scripts: the factor that `--memory-per-worker` reckons with.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from killed import RECIPE, make_shard

MEASURED = """
import sys
from dolmino_cli.cli.main import main
code = main()
print("peak", open("/proc/self/status").read().split("VmHWM:")[1].split()[0], file=sys.stderr)
sys.exit(code)
"""
# A character of each, repeated: what Python takes for a character is 1, 2 and 4 bytes.
SCRIPTS = {"ASCII": "plain words and some more ", "Japanese": "漢字仮名交じり文", "ASCII with emoji": "plain words 😀 some more "}


def peak_mb(folder: Path, inputs: Path, *options: str) -> float:
    """Peak memory of a run with one worker, in MB."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    verb = ["filter", str(folder / "recipe.yaml"), str(inputs), "-o", str(folder / "out"), *options]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *verb], env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return int(done.stderr.rsplit("peak", 1)[1]) * 1024 / 1e6


def with_document(path: Path, text: str, size: int) -> Path:
    """A shard of one document of about `size` bytes between two small ones; returns its folder. Written in pieces."""
    path.parent.mkdir(parents=True, exist_ok=True)
    small = json.dumps({"id": "small", "text": "words " * 200}) + "\n"
    with path.open("w") as file:
        file.write(small + '{"id": "large", "text": "')
        piece = text * 10_000
        for _ in range(size // len(piece.encode())):
            file.write(piece)
        file.write('"}\n' + small)
    return path.parent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--texts", required=True)
    given = parser.parse_args()
    folder: Path = given.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yaml").write_text(RECIPE)
    make_shard(given.texts, folder / "one/000.jsonl", 3_000_000)
    (folder / "many").mkdir(exist_ok=True)
    for number in range(100):
        shutil.copy(folder / "one/000.jsonl", folder / f"many/{number:03d}.jsonl")
    one, many = peak_mb(folder, folder / "one"), peak_mb(folder, folder / "many")
    print(f"1 shard {one:.0f} MB, 100 shards {many:.0f} MB: {100 * (many / one - 1):+.1f} %", flush=True)
    shutil.copy(folder / "one/000.jsonl", with_document(folder / "huge/a.jsonl", SCRIPTS["ASCII"], 500_000_000) / "b.jsonl")
    ceiling = "1280MiB"
    print(f"with a document of 500 MB, --memory-per-worker {ceiling}:", end=" ")
    print(f"{peak_mb(folder, folder / 'huge', '--memory-per-worker', ceiling):.0f} MB", flush=True)
    nothing = peak_mb(folder, with_document(folder / "none/a.jsonl", "x", 10_000))
    for script, text in SCRIPTS.items():
        inputs = with_document(folder / f"scripts/{len(script)}/a.jsonl", text, 100_000_000)
        print(f"100 MB of {script}: {(peak_mb(folder, inputs) - nothing) / 100:.1f} times its size", flush=True)


if __name__ == "__main__":
    main()
