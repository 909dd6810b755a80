"""Decontamination: `dolmino filter` by n-gram overlap, `dolma dedupe` in n-gram mode and datatrove's filter, whole commands.

All search for the same instances with 8-grams; every tool's index is made before the clock starts. dolma's rule is our rule
`ai2`, so every document's share is compared, and both with Python sets on a sample; datatrove has another rule.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet
from bench import HERE, LARGE, SMALL, Bench
from corpus import ROOT
from measure import BenchmarkError, Contender, Job
from reading import read_shard
from tables import TIMING_HEADER, Bar, Section, find, steady_bars, timing_rows

from cases.score import write_recipe

OURS = "dolmino filter"
DOLMA = "dolma dedupe"
DATATROVE = "datatrove NGramsDecontFilter"
N = 8
SAMPLE = 1500
TOLERANCE = 1e-6  # dolma's shares are float32


def measure(bench: Bench) -> Section:
    """The same share on every document by dolma and us, and by sets on the first ones."""
    folder = bench.output / "runs" / f"decontamination-{bench.inputs.root.name}"
    texts = _prepare(bench, folder)
    timings = bench.compare(
        _contenders(bench, folder), lambda tool: [(LARGE, 1)] if tool.name == DATATROVE else [(SMALL, 1), (LARGE, 1)]
    )
    ours, theirs = (find(timings, name, 1, LARGE) for name in (OURS, DOLMA))
    note = _compare(ours.answer, theirs.answer)
    sets = _by_sets(bench, texts)
    wrong = [name for name, share in sets.items() if ours.answer[name] != share]
    if wrong:
        raise BenchmarkError(f"{len(wrong)} of {len(sets)} documents differ from Python sets, such as {wrong[0]}")
    megabytes = {timing.shards: bench.inputs.megabytes(timing.shards) for timing in timings}
    slowest = find(timings, DATATROVE, 1, LARGE)
    bars = [
        Bar(what=f"{OURS} / {DOLMA}, 1 process", value=theirs.median / ours.median, unit="x", at_least=5),
        Bar(what=f"{OURS} / {DATATROVE}, 1 process", value=slowest.median / ours.median, unit="x", at_least=50),
        *steady_bars(timings, OURS, [DOLMA], megabytes),
    ]
    notes = [f"MB of text; {len(texts):,} instances.", note, f"Equal to Python sets on {len(sets):,} documents."]
    return Section(title="Decontamination", header=TIMING_HEADER, rows=timing_rows(timings, megabytes), bars=bars, notes=notes)


def _sizes(contender: Contender) -> list[tuple[int, int]]:
    return [(LARGE, 1)] if contender.name == DATATROVE else [(SMALL, 1), (LARGE, 1)]


def _prepare(bench: Bench, folder: Path) -> list[str]:
    """The instances, and every tool's index of them; made once."""
    instances = folder / "documents" / "instances.jsonl"
    if not (folder / "done").exists():
        instances.parent.mkdir(parents=True, exist_ok=True)
        rows = [json.dumps({"id": str(number), "text": text}) for number, text in enumerate(_instances(bench))]
        instances.write_text("\n".join(rows) + "\n", encoding="utf-8")
        environment = {**os.environ, **bench.environment}
        ours = [bench.dolmino, "decontaminate", "index", str(instances), "--fields", "text", "-o", str(folder / "evals.index")]
        datatrove = [bench.peer("datatrove", "python"), str(HERE / "peers" / "datatrove_decontaminate.py")]
        for command in (
            ours,
            [*_dedupe(bench, folder), "--documents", str(instances), "--no-bloom_filter.read_only"],
            [*datatrove, "index", str(instances), str(folder / "datatrove")],
        ):
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        (folder / "done").touch()
    return [json.loads(line)["text"] for line in instances.read_text(encoding="utf-8").splitlines()]


def _instances(bench: Bench) -> Iterator[str]:
    """The evaluation items of the sample data; without it, the beginnings of some documents."""
    evals = Path(os.environ.get("DOLMINO_SHARED_DATA") or ROOT.parent / "shared" / "data") / "evals" / "normalized"
    if bench.inputs.real and evals.is_dir():
        for path in sorted(evals.glob("*.jsonl.gz")):
            yield from (row["text"] for row in read_shard(path))
        return
    for row in itertools.islice(_documents(bench.inputs.folder(SMALL)), 0, None, 50):
        yield row["text"][:300]


def _documents(folder: Path) -> Iterator[dict[str, str]]:
    for path in sorted(folder.glob("*.jsonl.zst")):
        yield from read_shard(path)


def _dedupe(bench: Bench, folder: Path) -> list[str]:
    """`dolma dedupe` as Ai2 ran it, but for a Bloom filter large enough to make no mistake."""
    paragraphs = "--dedupe.paragraphs"
    return [
        *(bench.peer("dolma", "dolma"), "dedupe", "--processes", "1", "--dedupe.name", "overlap", "--dedupe.skip_empty"),
        *(f"{paragraphs}.attribute_name", "overlap", f"{paragraphs}.by_ngram.ngram_length", str(N)),
        *(f"{paragraphs}.by_ngram.stride", "1", f"{paragraphs}.by_ngram.overlap_threshold", "0.0"),
        *(f"{paragraphs}.by_ngram.skip_short_paragraphs", "--bloom_filter.file", str(folder / "bloom")),
        *("--bloom_filter.estimated_doc_count", "3000000", "--bloom_filter.desired_false_positive_rate", "1e-9"),
    ]


def _contenders(bench: Bench, folder: Path) -> list[Contender]:
    overlap = f"ngram_overlap: {{index: {json.dumps(str(folder / 'evals.index'))}, rule: ai2, into: overlap}}"
    recipe = write_recipe(bench, "bench-decontamination", [overlap, "keep: {score: overlap, below: 0.1}"])

    def ours(job: Job) -> list[list[str]]:
        return [[bench.dolmino, "filter", recipe, str(job.documents), "--output", f"{job.output}/filtered"]]

    def dolma(job: Job) -> list[list[str]]:
        # It writes beside a folder that must be called documents.
        link = ["ln", "-s", str(job.documents.resolve()), f"{job.output}/documents"]
        return [link, [*_dedupe(bench, folder), "--documents", f"{job.output}/documents/*.jsonl.zst", "--bloom_filter.read_only"]]

    def datatrove(job: Job) -> list[list[str]]:
        script = str(HERE / "peers" / "datatrove_decontaminate.py")
        return [
            [bench.peer("datatrove", "python"), script, "filter", str(job.documents), str(folder / "datatrove"), str(job.output)]
        ]

    return [
        Contender(name=OURS, commands=ours, check=_our_shares, environment=bench.environment),
        Contender(name=DOLMA, commands=dolma, check=_dolma_shares),
        Contender(name=DATATROVE, commands=datatrove, check=_datatrove_kept),
    ]


def _our_shares(job: Job) -> dict[str, float]:
    shares: dict[str, float] = {}
    for path in sorted(job.output.glob("filtered/attributes/*.parquet")):
        table = pyarrow.parquet.read_table(path, columns=["id", "overlap"])
        shares.update(zip(table["id"].to_pylist(), table["overlap"].to_pylist(), strict=True))
    return shares


def _dolma_shares(job: Job) -> dict[str, float]:
    """The largest share of any paragraph; a paragraph without an n-gram has none."""
    shares: dict[str, float] = {}
    for path in sorted(job.output.glob("attributes/overlap/*.jsonl.zst")):
        for row in read_shard(path):
            spans = row["attributes"].get("overlap", [])
            shares[row["id"]] = max((span[2] for span in spans if span[2] is not None), default=0.0)
    return shares


def _datatrove_kept(job: Job) -> int:
    kept = sum(1 for path in sorted(job.output.glob("kept/*.jsonl.gz")) for _ in read_shard(path))
    if not kept:
        raise BenchmarkError(f"no document was kept in {job.output}")
    return kept


def _compare(ours: dict[str, float], theirs: dict[str, float]) -> str:
    if ours.keys() != theirs.keys():
        raise BenchmarkError(f"different documents: {len(ours)} by us, {len(theirs)} by dolma")
    different = [name for name, share in ours.items() if abs(share - theirs[name]) > TOLERANCE]
    if different:
        raise BenchmarkError(f"{len(different)} documents have another share by dolma, such as {different[0]}")
    return (
        f"The same share as dolma's on all {len(ours):,} documents; {sum(share >= 0.1 for share in ours.values()):,} are dropped."
    )


def _by_sets(bench: Bench, texts: list[str]) -> dict[str, float]:
    """Share by id of the first documents, from a set of tuples of words; the words are our kernel's."""
    import numpy as np

    from dolmino_cli.kernels.word_breaks import word_classes, word_spans

    def grams(line: str) -> list[tuple[bytes, ...]]:
        data = line.encode()
        words = [data[start:end] for start, end in word_spans(np.frombuffer(data, np.uint8), word_classes()).tolist()]
        return [tuple(words[at : at + N]) for at in range(len(words) - N + 1)]

    known = {gram for text in texts for line in text.split("\n") for gram in grams(line)}
    shares = {}
    for row in itertools.islice(_documents(bench.inputs.folder(SMALL)), SAMPLE):
        lines = [found for line in row["text"].split("\n") if (found := grams(line))]
        shares[row["id"]] = max((sum(gram in known for gram in found) / len(found) for found in lines), default=0.0)
    return shares
