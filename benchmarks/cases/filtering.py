"""Filter: one pass of `dolmino filter` (quality, then repetition, then writing what is kept) and what dolma needs for that."""

from __future__ import annotations

import json

from bench import HERE, LARGE, MOST, Bench, also_most, usual_sizes
from measure import BenchmarkError, Contender, Job, Timing
from reading import read_shard
from tables import TIMING_HEADER, Bar, Section, find, steady_bars, timing_rows

from cases.score import TAGGER, dolma_environment, fasttext_stage, tag_command, write_recipe

OURS = "dolmino filter"
DOLMA = "dolma tag + mix"
DOLMA_FASTTEXT = "dolma tag + mix, fastText only"
COPY = "bare copy script"
REPETITIONS = 32
# The bar was set where a bare copy read and wrote 106 MB/s: as a share of the copy it holds on any machine.
BAR_MB_PER_SECOND, COPY_MB_PER_SECOND = 40, 106


def measure(bench: Bench) -> Section:
    """The same documents are kept; dolma without the repetition tagger keeps those and a few more."""
    timings = bench.compare(_contenders(bench), _sizes)
    ours, theirs, partly = (find(timings, name, 1, LARGE) for name in (OURS, DOLMA, DOLMA_FASTTEXT))
    _check_kept(ours.answer, theirs.answer, partly.answer)
    megabytes = {timing.shards: bench.inputs.megabytes(timing.shards, of="jsonl") for timing in timings}
    share, more = 100 * len(ours.answer) / bench.inputs.count(LARGE), len(partly.answer - ours.answer)
    notes = [
        f"MB of JSONL, uncompressed. The same {share:.1f} % of documents are kept. dolma's taggers score every document, ours "
        "skip those that quality dropped; without its repetition tagger, dolma does less than we do and keeps "
        f"{more:,} documents more."
    ]
    bars = [*_bars(timings, megabytes), *steady_bars(timings, OURS, [DOLMA, DOLMA_FASTTEXT], megabytes)]
    return Section(title="Filter", header=TIMING_HEADER, rows=timing_rows(timings, megabytes), bars=bars, notes=notes)


def _bars(timings: list[Timing], megabytes: dict[int, float]) -> list[Bar]:
    one = find(timings, OURS, 1, MOST).median
    bars = [Bar(what=f"{OURS}, whole command, 1 core", value=megabytes[MOST] / one, unit="MB/s", at_least=BAR_MB_PER_SECOND)]
    copied = find(timings, COPY, 1, MOST).median / one
    bars.append(Bar(what=f"{OURS} / {COPY}, 1 core", value=copied, unit="x", at_least=BAR_MB_PER_SECOND / COPY_MB_PER_SECOND))
    for name, bound in ((DOLMA, 10.0), (DOLMA_FASTTEXT, None)):
        ratio = find(timings, name, 1, LARGE).median / find(timings, OURS, 1, LARGE).median
        bars.append(Bar(what=f"{OURS} / {name}, 1 process", value=ratio, unit="x", at_least=bound))
    if any(timing.cores == 2 for timing in timings):
        for name in (DOLMA, DOLMA_FASTTEXT):
            ratio = find(timings, name, 2, LARGE).median / find(timings, OURS, 2, LARGE).median
            bars.append(Bar(what=f"{OURS} / {name}, 2 processes", value=ratio, unit="x"))
        for shards, bound in ((MOST, 1.8), (LARGE, None)):
            ratio = find(timings, OURS, 1, shards).median / find(timings, OURS, 2, shards).median
            what = f"{OURS}, 2 workers / 1, {megabytes[shards]:,.0f} MB"
            bars.append(Bar(what=what, value=ratio, unit="x", at_least=bound))
    return bars


def _sizes(contender: Contender) -> list[tuple[int, int]]:
    if contender.name == COPY:
        return [(MOST, 1)]
    return also_most(contender) if contender.name == OURS else usual_sizes(contender)


def _check_kept(ours: frozenset[str], theirs: frozenset[str], partly: frozenset[str]) -> None:
    if ours != theirs:
        few = ", ".join(sorted(ours ^ theirs)[:5])
        raise BenchmarkError(f"{len(ours ^ theirs)} documents are kept by one and not by the other, such as {few}")
    if not ours <= partly:
        raise BenchmarkError(f"{len(ours - partly)} documents are kept by us that dolma drops by quality")


def _contenders(bench: Bench) -> list[Contender]:
    recipe = write_recipe(
        bench,
        "bench-filter",
        [
            fasttext_stage(bench),
            f"keep: {{score: quality, at_least: {bench.inputs.threshold:.6f}, reason: quality}}",
            # count_from as the bundled dclm recipe has it.
            f"repeated_ngrams: {{tokenizer: {json.dumps(str(bench.inputs.tokenizer))}, into: repetitions, count_from: 16}}",
            f"keep: {{score: repetitions, below: {REPETITIONS}, reason: repeated_ngrams}}",
        ],
    )

    def ours(job: Job) -> list[list[str]]:
        options = ["--output", f"{job.output}/kept", "--workers", str(job.cores)]
        return [[bench.dolmino, "filter", recipe, str(job.documents), *options]]

    def dolma(job: Job, taggers: list[str]) -> list[list[str]]:
        # dolma mix looks for attributes/ beside documents/, so the job gets a folder where both can be.
        (job.output / "documents").symlink_to(job.documents.resolve())
        own = Job(documents=job.output / "documents", shards=job.shards, cores=job.cores, output=job.output)
        config = job.output / "mix.json"
        config.write_text(json.dumps(_mix_config(bench, own, repetitions=len(taggers) > 1)), encoding="utf-8")
        return [tag_command(bench, own, taggers), [bench.peer("dolma", "dolma"), "-c", str(config), "mix"]]

    def copy(job: Job) -> list[list[str]]:
        script = str(HERE / "peers" / "copy_script.py")
        return [[bench.peer("gigatoken", "python"), script, str(job.documents), str(job.output)]]

    environment = dolma_environment(bench)
    return [
        Contender(name=COPY, commands=copy, check=lambda job: _kept(job, "*.zst")),
        Contender(name=OURS, commands=ours, check=lambda job: _kept(job, "kept/documents/*"), environment=bench.environment),
        Contender(
            name=DOLMA,
            commands=lambda job: dolma(job, [TAGGER, "bench-repetitions"]),
            check=lambda job: _kept(job, "mixed/*"),
            environment=environment,
        ),
        Contender(
            name=DOLMA_FASTTEXT,
            commands=lambda job: dolma(job, [TAGGER]),
            check=lambda job: _kept(job, "mixed/*"),
            environment=environment,
        ),
    ]


def _mix_config(bench: Bench, job: Job, *, repetitions: bool) -> dict[str, object]:
    include = f".attributes.bench__bench_quality__score[0][2] >= {bench.inputs.threshold:.6f}"
    exclude = f".attributes.bench__bench_repetitions__doc_max_score_repetition[0][2] >= {REPETITIONS}"
    # An output file is written by one process: as many files as processes.
    shard_bytes = sum(path.stat().st_size for path in job.documents.iterdir())
    stream = {
        "name": "kept",
        "documents": [f"{job.documents}/*.jsonl.zst"],
        "attributes": ["bench"],
        "output": {"path": f"{job.output}/mixed", "max_size_in_bytes": int(shard_bytes * 1.02 / job.cores)},
        "filter": {"include": [include], "exclude": [exclude] if repetitions else [], "syntax": "jq"},
        "compression": {"input": "zst", "output": "zst"},
    }
    return {"streams": [stream], "processes": job.cores}


def _kept(job: Job, pattern: str) -> frozenset[str]:
    """Ids of the documents written. Raises BenchmarkError when there are none."""
    ids = frozenset(str(row["id"]) for path in sorted(job.output.glob(pattern)) for row in read_shard(path))
    if not ids:
        raise BenchmarkError(f"no documents in {job.output}/{pattern}, though the commands exited 0")
    return ids
