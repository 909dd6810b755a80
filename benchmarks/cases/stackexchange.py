"""Join: Posts.xml of 10 MB, 200 MB and 2 GB, whole command, against the script that one would write at first."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import zstandard
from bench import HERE, Bench
from corpus import ROOT
from measure import BenchmarkError, Contender, Job, Timing, interleave, run_commands
from tables import TIMING_HEADER, Bar, Section, ends, find, steady, timing_rows

OURS = "dolmino join"
SCRIPT = "ElementTree script"
SIZES, TINY_SIZES = (10, 200, 2000), (1, 5, 10)  # MB of XML
MADE_POSTS = 4000
_IDS = re.compile(rb' (Id|ParentId|AcceptedAnswerId)="(\d+)"')


def measure(bench: Bench) -> Section:
    """One site whose rows repeat the sample sites', with ids of their own; the script does not do the largest."""
    sizes = few, many, huge_size = TINY_SIZES if bench.inputs.root.name == "inputs-tiny" else SIZES
    for size in sizes:
        _make(_folder(bench, size), size)
    contenders = _contenders(bench)
    timings = interleave(contenders, lambda one: [_job(bench, one, size) for size in (few, many)], runs=bench.runs)
    by_tool = {timing.name: timing.answer for timing in timings if timing.shards == many}
    if by_tool[OURS] != by_tool[SCRIPT]:
        raise BenchmarkError(f"the documents differ: {by_tool}")
    huge = _huge(bench, contenders[0], huge_size)
    megabytes = {size: (_folder(bench, size) / "Posts.xml").stat().st_size / 1e6 for size in sizes}
    ours, script = (steady(*ends(timings, name, 1), megabytes[few], megabytes[many]) for name in (OURS, SCRIPT))
    bars = [
        Bar(
            what=f"{OURS}, 1 core, whole command, {huge_size} MB",
            value=megabytes[huge_size] / huge.median,
            unit="MB/s",
            at_least=60,
        ),
        Bar(
            what=f"{OURS}, peak RSS, {huge_size} MB / {few} MB",
            value=huge.peak_mb / find(timings, OURS, 1, few).peak_mb,
            unit="x",
            at_most=1.5,
        ),
    ]
    if ours and script:
        bars.append(Bar(what=f"{OURS}, 1 core, steady state", value=ours.mb_per_second, unit="MB/s", at_least=60))
        bars.append(
            Bar(what=f"{OURS} / {SCRIPT}, 1 core, steady state", value=ours.mb_per_second / script.mb_per_second, unit="x")
        )
    memory = find(timings, SCRIPT, 1, many).peak_mb / find(timings, OURS, 1, many).peak_mb
    bars.append(Bar(what=f"{SCRIPT} / {OURS}, peak RSS, {many} MB", value=memory, unit="x"))
    documents, _ = by_tool[OURS]
    note = f"MB of Posts.xml. {documents:,} documents of the {many} MB, the same from both, by sha256 of ids and texts."
    rows = timing_rows([*timings, huge], megabytes)
    return Section(title="Stack Exchange join", header=TIMING_HEADER, rows=rows, bars=bars, notes=[note])


def _folder(bench: Bench, size: int) -> Path:
    return bench.output / "inputs-stackexchange" / f"x{size}"


def _job(bench: Bench, contender: Contender, size: int) -> Job:
    output = bench.output / "runs" / f"join-{'ours' if contender.name == OURS else 'script'}-{size}"
    return Job(documents=_folder(bench, size), shards=size, cores=1, output=output)


def _contenders(bench: Bench) -> list[Contender]:
    def ours(job: Job) -> list[list[str]]:
        return [[bench.dolmino, "join", "stackexchange", str(job.documents), "--output", f"{job.output}/joined"]]

    def script(job: Job) -> list[list[str]]:
        paths = [str(job.documents / "Posts.xml"), f"{job.output}/joined.jsonl.zst"]
        return [[sys.executable, str(HERE / "peers" / "stackexchange_script.py"), *paths]]

    return [
        Contender(name=OURS, commands=ours, check=_answer, environment=bench.environment),
        Contender(name=SCRIPT, commands=script, check=_answer),
    ]


def _answer(job: Job) -> tuple[int, str]:
    """How many documents there are, and a hash of their ids (the site's name left out) and texts in order of question."""
    found = []
    for path in job.output.rglob("*.jsonl.zst"):
        with path.open("rb") as file:
            stream = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True))
            found += [(document["id"].partition("-")[2], document["text"]) for document in map(json.loads, stream)]
    if not found:
        raise BenchmarkError(f"no documents in {job.output}")
    return len(found), hashlib.sha256(json.dumps(sorted(found)).encode()).hexdigest()


def _huge(bench: Bench, contender: Contender, size: int) -> Timing:
    """Ours on the largest input, once: it is there for the memory."""
    job = _job(bench, contender, size)
    commands = [["rm", "-rf", str(job.output)], ["mkdir", "-p", str(job.output)], *contender.commands(job)]
    log = job.output.with_name(f"{job.output.name}.log")
    seconds, peak = run_commands(commands, cores=1, environment=contender.environment, log=log)
    return Timing(
        name=contender.name,
        shards=job.shards,
        cores=1,
        seconds=(seconds,),
        warm_up_seconds=0.0,
        peak_mb=peak,
        answer=_answer(job),
    )


def _make(folder: Path, size: int) -> None:
    """Posts.xml of `size` MB: the rows of all sites over and over, each time with higher ids."""
    path = folder / "Posts.xml"
    if path.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    sites = list(_sites())
    base = written = 0
    with partial.open("wb") as file:
        file.write(b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\r\n<posts>\r\n')
        while written < size * 1_000_000:
            for rows, highest in sites:
                text = _raised(rows, base)
                file.write(text)
                written += len(text)
                base += highest
        file.write(b"</posts>")
    partial.rename(path)


def _raised(rows: bytes, by: int) -> bytes:
    """The rows with `by` added to every id."""
    return _IDS.sub(lambda found: b' %s="%d"' % (found[1], int(found[2]) + by), rows)


def _sites() -> Iterator[tuple[bytes, int]]:
    """(rows, highest id) of every sample site; made ones on a machine without the sample data."""
    shared = Path(os.environ.get("DOLMINO_SHARED_DATA", ROOT.parent / "shared" / "data")) / "stackexchange"
    packed = [path.read_bytes() for path in sorted(shared.glob("*/Posts.xml.zst"))]
    if not packed:
        yield b"".join(map(_made, range(1, MADE_POSTS, 2))), MADE_POSTS
    for data in packed:
        text = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
        rows = b"".join(line + b"\n" for line in text.split(b"\n") if line.lstrip().startswith(b"<row"))
        yield rows, max(int(found[2]) for found in _IDS.finditer(rows))


def _made(number: int) -> bytes:
    """A question and its accepted answer, a third of them with votes enough, of about the usual length."""
    body = "&lt;p&gt;" + f"word{number} and more words &amp;amp; so on, " * 25 + "&lt;/p&gt;&#xA;"
    score = number % 6
    common = f'CreationDate="2020-01-01T00:00:00.000" LastActivityDate="2020-01-01T00:00:00.000" Body="{body}"'
    question = (
        f'<row Id="{number}" PostTypeId="1" AcceptedAnswerId="{number + 1}" Score="{score}" Title="t" Tags="|a|" {common} />'
    )
    answer = f'<row Id="{number + 1}" PostTypeId="2" ParentId="{number}" Score="{3 + score}" {common} />'
    return f"  {question}\r\n  {answer}\r\n".encode()
