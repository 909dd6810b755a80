"""A worker's memory: refused before the start where the largest document cannot fit, and bounded while running."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dolmino_cli.errors import ConfigError, RunFailed
from dolmino_cli.executors.local import Local
from dolmino_cli.pipeline.memory import check_ceiling, check_fits
from dolmino_cli.pipeline.run import execute, plan_run
from dolmino_cli.pipeline.task import Options
from dolmino_cli.shards.listing import list_shards
from tests.pipeline.make import line, read_lines, read_rows, recipe, write_shard

ROOT = Path(__file__).resolve().parents[2]
LINUX = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")


def test_what_does_not_fit_is_refused_with_what_would() -> None:
    check_fits(2 << 30, 128 << 20)
    with pytest.raises(ConfigError, match=r"give --max-document 32MiB or less, or --memory-per-worker 1280MiB or more"):
        check_fits(512 << 20, 128 << 20)
    with pytest.raises(ConfigError, match=r"its size; give --memory-per-worker 1280MiB or more"):
        check_fits(100 << 20, 128 << 20)


@LINUX
def test_a_worker_above_its_ceiling_says_so() -> None:
    check_ceiling(1 << 40, "a.jsonl")
    check_ceiling(None, "a.jsonl")
    with pytest.raises(RunFailed, match=r"^a\.jsonl: the worker has [\d,]+ MiB, more than --memory-per-worker 1 MiB; give more"):
        check_ceiling(1 << 20, "a.jsonl")


@LINUX
def test_a_shard_that_takes_too_much_fails_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        write_shard(tmp_path / f"in/{name}.jsonl.zst", [line(1, 5, 7)])
    ceilings = iter([1 << 40, 1, 1 << 40])
    monkeypatch.setattr("dolmino_cli.pipeline.through_stages.check_ceiling", lambda _, path: check_ceiling(next(ceilings), path))
    run = plan_run(recipe(tmp_path), list_shards([str(tmp_path / "in")]), str(tmp_path / "out"), Options(), memory_bytes=4 << 30)
    with pytest.raises(RunFailed, match=r"in/b\.jsonl\.zst: the worker has"):
        list(execute(run, Local()))
    assert sorted(run.finished) == ["a.jsonl.zst", "c.jsonl.zst"]


# Peak memory is that of a process of its own: the test's has had other things in it.
MEASURED = """
import sys
from dolmino_cli.cli.main import main
code = main()
print("peak", open("/proc/self/status").read().split("VmHWM:")[1].split()[0], file=sys.stderr)
sys.exit(code)
"""


def peak_mib(*arguments: object) -> float:
    """Peak memory of `dolmino` with one worker."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", MEASURED, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return int(done.stderr.rsplit("peak", 1)[1]) / 1024


@LINUX
def test_memory_does_not_grow_with_shards_nor_with_a_document_that_is_too_large(tmp_path: Path) -> None:
    recipe(tmp_path)
    lines = [line(n, n % 3000, 7) for n in range(2000)]
    for shard in range(12):
        write_shard(tmp_path / f"many/{shard}.jsonl.zst", lines)
    write_shard(tmp_path / "one/0.jsonl.zst", lines)
    huge = json.dumps({"id": "huge", "text": "x" * (32 << 20)}).encode()
    write_shard(tmp_path / "huge/0.jsonl.zst", [*lines, huge, *lines])
    peaks = {
        name: peak_mib(
            "filter", tmp_path / "recipe.yaml", tmp_path / name, "-o", tmp_path / f"out-{name}", "--max-document", "4MiB"
        )
        for name in ("one", "many", "huge")
    }
    assert peaks["many"] < 1.1 * peaks["one"], peaks
    assert peaks["huge"] < peaks["one"] + 16, peaks
    [row] = read_rows(tmp_path / "out-huge/quarantine/0.parquet")
    assert (row["line"], row["record"]) == (2001, b"")
    kept = read_lines(tmp_path / "out-one/documents/0.jsonl.zst")
    assert read_lines(tmp_path / "out-huge/documents/0.jsonl.zst") == 2 * kept
