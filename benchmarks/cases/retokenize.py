"""Retokenize: JSONL.zst to token ids on disk, whole commands."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from bench import HERE, LARGE, MOST, Bench, also_most, usual_sizes
from corpus import EOS_TOKEN
from measure import BenchmarkError, Contender, Job
from tables import TIMING_HEADER, Bar, Section, find, steady_bars, timing_rows

OURS = "dolmino retokenize"
DOLMA = "dolma tokens"
DATATROVE = "datatrove DocumentTokenizer"
SCRIPT = "gigatoken script"
BARS = {(DOLMA, LARGE): 20.0, (DATATROVE, LARGE): 15.0, (SCRIPT, MOST): 0.8, (SCRIPT, LARGE): None}


def measure(bench: Bench) -> Section:
    """All four write the same number of the same ids, end-of-text included."""
    timings = bench.compare(_contenders(bench), _sizes)
    for shards in {timing.shards for timing in timings}:
        answers = {timing.name: timing.answer for timing in timings if timing.shards == shards}
        if len(set(answers.values())) != 1:
            raise BenchmarkError(f"token counts and sums of ids differ on {shards} shards: {answers}")
    megabytes = {timing.shards: bench.inputs.megabytes(timing.shards) for timing in timings}
    bars = [
        Bar(
            what=f"{OURS} / {name}, {cores} process{'es' if cores > 1 else ''}, {megabytes[shards]:,.0f} MB",
            value=find(timings, name, cores, shards).median / find(timings, OURS, cores, shards).median,
            unit="x",
            at_least=bound if cores == 1 else None,
        )
        for cores in sorted({timing.cores for timing in timings})
        for (name, shards), bound in BARS.items()
    ]
    bars += steady_bars(timings, OURS, [DOLMA, DATATROVE, SCRIPT], megabytes)
    tokens, _ = find(timings, OURS, 1, LARGE).answer
    documents = bench.inputs.count(LARGE)
    note = f"MB of text. Every tool wrote {tokens:,} tokens for {documents:,} documents, with the same sum of ids."
    return Section(title="Retokenize", header=TIMING_HEADER, rows=timing_rows(timings, megabytes), bars=bars, notes=[note])


def _sizes(contender: Contender) -> list[tuple[int, int]]:
    return also_most(contender) if contender.name in (OURS, SCRIPT) else usual_sizes(contender)


def _contenders(bench: Bench) -> list[Contender]:
    tokenizer, eos_id, dtype = str(bench.inputs.tokenizer), str(bench.inputs.eos_id), f"uint{8 * bench.inputs.itemsize}"

    def ours(job: Job) -> list[list[str]]:
        options = ["--tokenizer", tokenizer, "--output", f"{job.output}/tokens", "--workers", str(job.cores)]
        return [[bench.dolmino, "retokenize", str(job.documents), *options, "--eos", EOS_TOKEN]]

    def script(job: Job) -> list[list[str]]:
        command = [bench.peer("gigatoken", "python"), str(HERE / "peers" / "gigatoken_script.py")]
        return [[*command, str(job.documents), tokenizer, eos_id, dtype, str(job.output), str(job.cores)]]

    def datatrove(job: Job) -> list[list[str]]:
        command = [bench.peer("datatrove", "python"), str(HERE / "peers" / "datatrove_tokenize.py")]
        return [[*command, str(job.documents), tokenizer, EOS_TOKEN, str(job.output), str(job.cores)]]

    def dolma(job: Job) -> list[list[str]]:
        options = ["--documents", f"{job.documents}/*.jsonl.zst", "--destination", f"{job.output}/tokens", "--dtype", dtype]
        names = ["--tokenizer.name_or_path", tokenizer, "--tokenizer.eos_token_id", eos_id, "--tokenizer.pad_token_id", eos_id]
        return [[bench.peer("dolma", "dolma"), "tokens", *options, *names, "--processes", str(job.cores)]]

    def count(pattern: str) -> Callable[[Job], tuple[int, int]]:
        return lambda job: _count_and_sum(job, pattern, dtype)

    return [
        Contender(name=OURS, commands=ours, check=count("tokens/*.npy"), environment=bench.environment),
        Contender(name=SCRIPT, commands=script, check=count("*.npy")),
        Contender(name=DATATROVE, commands=datatrove, check=count("tokens/*.ds")),
        Contender(name=DOLMA, commands=dolma, check=count("tokens/*.npy")),
    ]


def _count_and_sum(job: Job, pattern: str, dtype: str) -> tuple[int, int]:
    """(tokens, sum of ids) of the files: the same for any order of documents. Raises BenchmarkError when there are none."""
    arrays = [np.fromfile(path, dtype) for path in sorted(job.output.glob(pattern)) if path.stat().st_size < 1 << 31]
    count = sum(len(array) for array in arrays)
    if not count:
        raise BenchmarkError(f"no tokens in {job.output}/{pattern}, or a file of 2 GiB or more, though the command exited 0")
    return count, sum(int(array.sum(dtype=np.uint64)) for array in arrays)
