"""Generate arithmetic: 11M tokens, whole command, against a plain seeded script with one wording and no check of its own."""

from __future__ import annotations

import json
import shutil
import sys

from bench import HERE, Bench
from corpus import EOS_TOKEN
from measure import BenchmarkError, Contender, Job, interleave
from tables import Bar, Section, find

OURS = "dolmino generate arithmetic"
SCRIPT = "f-string script"
TARGET, TINY_TARGET = 11_000_000, 300_000  # tokens
MOST_SECONDS = 60


def measure(bench: Bench) -> Section:
    """One core, start and compression included; documents differ, so tokens are compared."""
    tiny = bench.inputs.root.name == "inputs-tiny"
    target = TINY_TARGET if tiny else TARGET
    timings = interleave(_contenders(bench, target), lambda one: [_job(bench, one)], runs=bench.runs)
    ours, script = (find(timings, name, 1, 1) for name in (OURS, SCRIPT))
    rows = [
        (
            timing.name,
            f"{timing.answer / 1e6:.2f}",
            f"{timing.median:.2f} ({min(timing.seconds):.2f}-{max(timing.seconds):.2f})",
            f"{timing.answer / 1e6 / timing.median:.2f}",
            f"{timing.peak_mb:.0f}",
        )
        for timing in timings
    ]
    ratio = script.median / script.answer / (ours.median / ours.answer)
    bars = [
        Bar(what=f"{OURS}, {target / 1e6:g}M tokens, 1 core", value=ours.median, unit="s", at_most=MOST_SECONDS),
        Bar(what=f"{OURS} / {SCRIPT}, tokens a second", value=ratio, unit="x"),
    ]
    header = ("command", "M tokens", "wall s (range)", "M tokens/s", "peak MB")
    note = "The script makes `77 * 14 = 1078` of + - * / in one wording, counts tokens by `tokenizers`, and cannot be resumed."
    return Section(title="Arithmetic", header=header, rows=rows, bars=bars, notes=[note])


def _job(bench: Bench, contender: Contender) -> Job:
    name = "ours" if contender.name == OURS else "script"
    documents = bench.output / "runs" / "arithmetic-nothing-to-read"
    shutil.rmtree(documents, ignore_errors=True)
    documents.mkdir(parents=True)
    return Job(documents=documents, shards=1, cores=1, output=bench.output / "runs" / f"arithmetic-{name}")


def _contenders(bench: Bench, target: int) -> list[Contender]:
    tokenizer = str(bench.inputs.tokenizer)

    def ours(job: Job) -> list[list[str]]:
        options = ["--tokens", str(target), "--tokenizer", tokenizer, "--eos", EOS_TOKEN, "--seed", "42"]
        return [[bench.dolmino, "generate", "arithmetic", *options, "--output", f"{job.output}/made"]]

    def script(job: Job) -> list[list[str]]:
        path = str(HERE / "peers" / "arithmetic_script.py")
        return [[sys.executable, path, tokenizer, str(target), f"{job.output}/made.jsonl.zst", f"{job.output}/tokens.json"]]

    def check_ours(job: Job) -> int:
        run = json.loads((job.output / "made" / "run.json").read_text(encoding="utf-8"))
        if not run["complete"]:
            raise BenchmarkError(f"{job.output} is not complete")
        return _enough(run["counts"]["tokens"])

    def check_script(job: Job) -> int:
        return _enough(json.loads((job.output / "tokens.json").read_text(encoding="utf-8")))

    def _enough(tokens: int) -> int:
        if not target <= tokens < target + 1000:
            raise BenchmarkError(f"{tokens} tokens, {target} were asked for")
        return tokens

    return [
        Contender(name=OURS, commands=ours, check=check_ours, environment=bench.environment),
        Contender(name=SCRIPT, commands=script, check=check_script),
    ]
