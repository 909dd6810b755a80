"""Sample: how fast a mix is written, against copying a file of as many bytes."""

from __future__ import annotations

import json
import os
import shutil
import sys

from bench import LARGE, Bench
from corpus import EOS_TOKEN
from measure import BenchmarkError, Contender, Job, run_commands
from tables import TIMING_HEADER, Bar, Section, ends, find, steady, timing_rows

OURS = "dolmino sample"
COPY = "shutil.copyfile"
FEW, MANY = 2, 8  # passes over the source: the mix is so many times as large


def measure(bench: Bench) -> Section:
    """A mix of one source taken several times over; bytes are those of token ids, provenance is written besides."""
    tokens = _make_arrays(bench)
    bytes_once = sum(path.stat().st_size for path in (bench.output / "runs" / "sampling" / "tokens").glob("*.npy"))
    for passes in (FEW, MANY):
        _make_files(bench, passes)
    cores = (1, 2) if len(os.sched_getaffinity(0)) > 1 else (1,)

    def sizes(contender: Contender) -> list[tuple[int, int]]:
        return [(passes, core) for core in (cores if contender.name == OURS else (1,)) for passes in (FEW, MANY)]

    timings = bench.compare(_contenders(bench, bytes_once), sizes)
    megabytes = {passes: passes * bytes_once / 1e6 for passes in (FEW, MANY)}
    bars = []
    ours, copy = (steady(*ends(timings, name, 1), megabytes[FEW], megabytes[MANY]) for name in (OURS, COPY))
    if ours and copy:
        ratio = ours.mb_per_second / copy.mb_per_second
        bars.append(Bar(what=f"{OURS} / {COPY}, steady, 1 core (goal 0.7, no bar)", value=ratio, unit="x"))
    whole = find(timings, COPY, 1, MANY).median / find(timings, OURS, 1, MANY).median
    bars.append(Bar(what=f"{OURS} / {COPY}, whole command, 1 core", value=whole, unit="x"))
    note = f"MB of token ids: {tokens:,} tokens of one source, taken {MANY} times (and {FEW} times, for the steady state)."
    floor = "A copy hashes nothing: on one core sha256 of what is written (about 1.4 GB/s) by itself keeps the goal out of reach."
    return Section(title="Sample", header=TIMING_HEADER, rows=timing_rows(timings, megabytes), bars=bars, notes=[note, floor])


def _make_arrays(bench: Bench) -> int:
    """Token arrays of the whole input; their number of tokens."""
    folder = bench.output / "runs" / "sampling"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    command = [bench.dolmino, "retokenize", str(bench.inputs.folder(LARGE)), "--tokenizer", str(bench.inputs.tokenizer)]
    command += ["--output", str(folder / "tokens"), "--eos", EOS_TOKEN]
    run_commands([command], cores=1, environment=bench.environment, log=folder / "log")
    return sum(path.stat().st_size for path in (folder / "tokens").glob("*.npy")) // bench.inputs.itemsize


def _make_files(bench: Bench, passes: int) -> None:
    """The manifest that takes the source `passes` times, and a file of as many bytes to copy."""
    folder = bench.output / "runs" / "sampling"
    source = f"{{arrays: {json.dumps(str(folder / 'tokens'))}, source_percent: {100 * passes}}}"
    tokenizer = json.dumps(str(bench.inputs.tokenizer))
    lines = [f"name: x{passes}", f"tokenizer: {tokenizer}", "seed: 42", "sources:", f"  real: {source}", ""]
    (folder / f"x{passes}.yaml").write_text("\n".join(lines), encoding="utf-8")
    with (folder / f"x{passes}.bin").open("wb") as file:
        for path in sorted((folder / "tokens").glob("*.npy")) * passes:
            file.write(path.read_bytes())


def _contenders(bench: Bench, bytes_once: int) -> list[Contender]:
    folder = bench.output / "runs" / "sampling"

    def ours(job: Job) -> list[list[str]]:
        options = ["--output", f"{job.output}/mix", "--workers", str(job.cores)]
        return [[bench.dolmino, "sample", str(folder / f"x{job.shards}.yaml"), *options]]

    def copy(job: Job) -> list[list[str]]:
        code = "import shutil, sys; shutil.copyfile(*sys.argv[1:])"
        return [[sys.executable, "-c", code, str(folder / f"x{job.shards}.bin"), f"{job.output}/copy.npy"]]

    def check(job: Job) -> object:
        written = sum(path.stat().st_size for path in job.output.rglob("*.npy"))
        if written != job.shards * bytes_once:
            raise BenchmarkError(f"{written} bytes of ids in {job.output}, {job.shards * bytes_once} expected")
        return written

    return [
        Contender(name=OURS, commands=ours, check=check, environment=bench.environment),
        Contender(name=COPY, commands=copy, check=check),
    ]
