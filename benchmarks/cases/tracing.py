"""Trace: how long one question to a mix of 4 billion tokens takes, and how fast a text is searched for."""

from __future__ import annotations

import shutil

from bench import Bench
from big_mix import DOCUMENT_TOKENS, make_mix
from measure import BenchmarkError, Contender, Job
from tables import Bar, Section

PARTS, SEARCHED_PARTS = 64, 4
QUESTIONS = {
    "--at part-00040:31415926": ("document ", "web-"),
    "--find math-123456": ("copy 2 of 2", "math-123456"),
    "--step 100 --seed 42 --batch 1024": ("step 100: 1,024 windows", "4,194,304"),
    "--step 100 --rank 3 --row 5 --seed 42 --batch 1024 --world-size 8": ("step 100, rank 3, row 5", "web-"),
}
SEARCH = "--text zygomorphicphotosynthesis"


def measure(bench: Bench) -> Section:
    """Whole commands; the arrays of the large mix are holes, those of the searched one random ids."""
    folder = bench.output / "runs" / "tracing"
    shutil.rmtree(folder, ignore_errors=True)
    mixes = {}
    for name, parts in (("large", PARTS), ("searched", SEARCHED_PARTS)):
        (folder / name).mkdir(parents=True)
        mixes[name] = make_mix(folder / name, parts=parts, tokenizer=bench.inputs.tokenizer, holes=name == "large")
    contenders = [_contender(bench, str(mixes["large"]), question, found) for question, found in QUESTIONS.items()]
    contenders.append(_contender(bench, str(mixes["searched"]), SEARCH, ("found 0 times in the whole mix",)))
    timings = {timing.name: timing for timing in bench.compare(contenders, lambda _: [(1, 1)])}
    rows = [
        (f"dolmino trace {name}", f"{1e3 * timing.median:.0f} ({1e3 * min(timing.seconds):.0f}-{1e3 * max(timing.seconds):.0f})")
        for name, timing in timings.items()
    ]
    bars = [Bar(what=f"dolmino trace {name}", value=timings[name].median, unit="s", at_most=1) for name in QUESTIONS]
    searched = sum(path.stat().st_size for path in mixes["searched"].glob("*.npy"))
    bars.append(Bar(what="a text, whole command, 1 core", value=searched / 1e9 / timings[SEARCH].median, unit="GB/s"))
    tokens = sum(path.stat().st_size for path in mixes["large"].glob("*.npy")) // 4
    size = f"{tokens / 1e9:.1f}B tokens, {tokens // DOCUMENT_TOKENS / 1e6:.1f}M documents, {PARTS} parts"
    note = f"A mix of {size}; the text is searched for in {searched / 1e9:.2f} GB of ids."
    shutil.rmtree(folder)
    return Section(title="Trace", header=("command", "wall ms (range)"), rows=rows, bars=bars, notes=[note])


def _contender(bench: Bench, mix: str, question: str, found: tuple[str, ...]) -> Contender:
    log = bench.output / "runs" / "tracing" / f"{abs(hash(question))}.txt"
    tokenizer = ["-t", str(bench.inputs.tokenizer)]
    code = 'exec "$0" trace "$@" > "$LOG" 2>&1'

    def ask(_: Job) -> list[list[str]]:
        return [["sh", "-c", code, bench.dolmino, mix, *question.split(), *tokenizer]]

    def check(_: Job) -> None:
        told = log.read_text(encoding="utf-8")
        if missing := [words for words in found if words not in told]:
            raise BenchmarkError(f"trace {question} did not say {missing[0]!r}:\n{told}")

    return Contender(name=question, commands=ask, check=check, environment={**bench.environment, "LOG": str(log)})
