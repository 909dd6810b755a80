"""Score: `dolmino score` and `dolma tag` with the same fastText model, whole commands."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pyarrow.parquet
from bench import HERE, LARGE, Bench, usual_sizes
from measure import BenchmarkError, Contender, Job
from reading import read_shard
from tables import TIMING_HEADER, Bar, Section, ends, find, steady_bars, timing_rows

OURS = "dolmino score"
DOLMA = "dolma tag"
LABEL = "__label__hq"
TAGGER = "bench-quality"
ATTRIBUTE = "bench__bench_quality__score"
TOLERANCE = 2.1e-5  # fastText's own 1e-5, in either direction, and dolma's rounding to 5 digits


def measure(bench: Bench) -> Section:
    """Same labels and, as far as dolma's 5 digits say, same scores on every document."""
    timings = bench.compare(_contenders(bench), usual_sizes)
    ours, theirs = (find(timings, name, 1, LARGE) for name in (OURS, DOLMA))
    notes = ["MB of text.", compare_scores(ours.answer, theirs.answer)]
    first = ends(timings, OURS, 1)[0]
    folding = f"{first.warm_up_seconds:.2f} s instead of {first.median:.2f} s"
    notes.append(f"The first run with a model folds it, once, if its cache is empty: here {folding}.")
    megabytes = {timing.shards: bench.inputs.megabytes(timing.shards) for timing in timings}
    rows = timing_rows(timings, megabytes)
    bars = [Bar(what=f"{OURS} / {DOLMA}, 1 process", value=theirs.median / ours.median, unit="x", at_least=8)]
    bars += steady_bars(timings, OURS, [DOLMA], megabytes)
    if any(timing.cores == 2 for timing in timings):
        ratio = find(timings, DOLMA, 2, LARGE).median / find(timings, OURS, 2, LARGE).median
        bars.append(Bar(what=f"{OURS} / {DOLMA}, 2 processes", value=ratio, unit="x"))
    peak = max(timing.peak_mb for timing in timings if timing.name == OURS)
    bars.append(Bar(what=f"{OURS}, peak memory of the largest process", value=peak, unit="MB", at_most=250))
    return Section(title="Score with fastText", header=TIMING_HEADER, rows=rows, bars=bars, notes=notes)


def compare_scores(ours: dict[str, float], theirs: dict[str, float]) -> str:
    """A sentence on how far the scores agree. Raises BenchmarkError when a label differs or a score is too far off."""
    if ours.keys() != theirs.keys():
        raise BenchmarkError(f"different documents were scored: {len(ours)} by us, {len(theirs)} by the peer")
    ids = sorted(ours)
    a, b = (np.array([scores[name] for name in ids]) for scores in (ours, theirs))
    off = np.abs(a - b)
    # A score this close to 0.5 has either label by right of rounding.
    flips = int(((a >= 0.5) != (b >= 0.5))[np.abs(b - 0.5) > TOLERANCE].sum())
    if flips or off.max() > TOLERANCE:
        raise BenchmarkError(f"{flips} labels differ; the largest difference is {off.max():.2e} (document {ids[off.argmax()]})")
    return f"Same label on all {len(ids):,} documents; largest difference of scores {off.max():.1e}."


def write_recipe(bench: Bench, name: str, stages: list[str]) -> str:
    """A recipe file of these stages; its path."""
    path = bench.output / "runs" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([f"name: {name}", "stages:", *(f"  - {stage}" for stage in stages), ""]), encoding="utf-8")
    return str(path)


def fasttext_stage(bench: Bench) -> str:
    """The measure that all recipes here begin with, as YAML."""
    return f"fasttext: {{model: {json.dumps(str(bench.inputs.model))}, label: {LABEL}, into: quality}}"


def tag_command(bench: Bench, job: Job, taggers: list[str]) -> list[str]:
    """`dolma tag` with our taggers into the job's output."""
    where = ["--documents", f"{job.documents}/*.jsonl.zst", "--destination", f"{job.output}/attributes/bench"]
    what = ["--tagger_modules", str(HERE / "peers" / "dolma_taggers.py"), "--taggers", *taggers, "--experiment", "bench"]
    return [bench.peer("dolma", "dolma"), "tag", *where, *what, "--processes", str(job.cores)]


def dolma_environment(bench: Bench) -> dict[str, str]:
    """What peers/dolma_taggers.py reads."""
    return {"BENCH_MODEL": str(bench.inputs.model), "BENCH_TOKENIZER": str(bench.inputs.tokenizer)}


def read_our_scores(job: Job) -> dict[str, float]:
    """Score by id from the attributes of a run with `into: quality`."""
    scores: dict[str, float] = {}
    for path in sorted(job.output.glob("scored/attributes/*.parquet")):
        table = pyarrow.parquet.read_table(path, columns=["id", "quality"])
        scores.update(zip(table["id"].to_pylist(), table["quality"].to_pylist(), strict=True))
    return scores


def read_dolma_scores(job: Job) -> dict[str, float]:
    """Score by id from dolma's attributes."""
    scores: dict[str, float] = {}
    for path in sorted(job.output.glob("attributes/bench/*")):
        for row in read_shard(path):
            scores[str(row["id"])] = row["attributes"][ATTRIBUTE][0][2]
    return scores


def _contenders(bench: Bench) -> list[Contender]:
    recipe = write_recipe(bench, "bench-score", [fasttext_stage(bench)])

    def ours(job: Job) -> list[list[str]]:
        options = ["--output", f"{job.output}/scored", "--workers", str(job.cores)]
        return [[bench.dolmino, "score", recipe, str(job.documents), *options]]

    def checked(read: Callable[[Job], dict[str, float]]) -> Callable[[Job], dict[str, float]]:
        def check(job: Job) -> dict[str, float]:
            scores = read(job)
            if len(scores) != bench.inputs.count(job.shards):
                raise BenchmarkError(f"{len(scores)} scores in {job.output}, {bench.inputs.count(job.shards)} documents went in")
            return scores

        return check

    return [
        Contender(name=OURS, commands=ours, check=checked(read_our_scores), environment=bench.environment),
        Contender(
            name=DOLMA,
            commands=lambda job: [tag_command(bench, job, [TAGGER])],
            check=checked(read_dolma_scores),
            environment=dolma_environment(bench),
        ),
    ]
