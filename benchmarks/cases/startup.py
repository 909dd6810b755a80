"""Start-up: how long a command takes to say its help."""

from __future__ import annotations

from bench import Bench
from measure import Contender
from tables import Bar, Section

RUNS_PER_RUN = 3  # it is short: three times as many runs


def measure(bench: Bench) -> Section:
    """`--help` of ours and of dolma, `--version` of ours."""
    dolma = bench.peer("dolma", "dolma")
    commands = {
        "dolmino --help": [bench.dolmino, "--help"],
        "dolmino --version": [bench.dolmino, "--version"],
        "dolma --help": [dolma, "--help"],
    }
    contenders = [
        Contender(name=name, commands=lambda _, command=command: [command], check=lambda _: None)
        for name, command in commands.items()
    ]
    quick = Bench(inputs=bench.inputs, output=bench.output, runs=RUNS_PER_RUN * bench.runs)
    timings = {timing.name: timing for timing in quick.compare(contenders, lambda _: [(1, 1)])}
    rows = [
        (name, f"{1e3 * timing.median:.0f} ({1e3 * min(timing.seconds):.0f}-{1e3 * max(timing.seconds):.0f})")
        for name, timing in timings.items()
    ]
    bars = [Bar(what=name, value=1e3 * timings[name].median, unit="ms", at_most=250) for name in list(commands)[:2]]
    ratio = timings["dolma --help"].median / timings["dolmino --help"].median
    bars.append(Bar(what="dolmino --help / dolma --help", value=ratio, unit="x"))
    return Section(title="Start-up", header=("command", "wall ms (range)"), rows=rows, bars=bars)
