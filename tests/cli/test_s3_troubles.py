"""A filter over an S3 that fails one request in five writes what one over files does, and says what it had to try again."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dolmino_cli.executors.counters import Counters
from dolmino_cli.executors.local import run_tasks
from dolmino_cli.shards import s3_retries, s3_troubles
from dolmino_cli.shards.s3_troubles import Troubles
from tests.chaos_proxy import ChaosProxy
from tests.cli.run import dolmino
from tests.pipeline.make import RECIPE, line, tree, write_shard
from tests.s3_server import S3Server


def test_what_is_said() -> None:
    requests = {"reset": 300, "SlowDown": 812, "short": 122, "500": 0}
    said = "S3: 1,234 requests were tried again (812 SlowDown, 300 reset, 122 short), 42 s waited"
    assert str(Troubles(requests=requests, waited_seconds=42.4)) == said
    one = "S3: 1 request was tried again (1 timeout), 0 s waited"
    assert str(Troubles(requests={"timeout": 1}, waited_seconds=0.0)) == one
    assert not Troubles(requests={"timeout": 0}, waited_seconds=0.0)


def be_troubled(number: int) -> None:
    s3_troubles.note("reset", 0.5)
    if number % 2:
        s3_troubles.note("SlowDown", 1.0)


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_troubles_are_their_runs(workers: int) -> None:
    for _ in run_tasks(be_troubled, range(10), workers=workers, counters=Counters(workers=workers)):
        pass
    s3_troubles.note("500", 0.25)
    troubles = s3_troubles.take()
    assert {kind: count for kind, count in troubles.requests.items() if count} == {"reset": 10, "SlowDown": 5, "500": 1}
    assert troubles.waited_seconds == 10.25
    assert not s3_troubles.take()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_filter_in_bad_weather(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    monkeypatch.setattr(s3_retries, "_LONGEST_PAUSE_SECONDS", 0.02)
    (tmp_path / "r.yaml").write_text(RECIPE)
    for number in range(6):
        lines = [line(number * 1000 + i, 1 + i % 9, i % 4) for i in range(500)]
        write_shard(tmp_path / "in" / f"{number}.jsonl.zst", lines)
    rows = [{"id": f"p{i}", "text": "x" * (i % 9), "metadata": {"votes": i % 4}} for i in range(2000)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "in" / "6.parquet", row_group_size=300)
    for path in (tmp_path / "in").iterdir():
        s3.file(f"weather/in/{path.name}").write_bytes(path.read_bytes())
    quiet = dolmino(monkeypatch, capsys, "filter", tmp_path / "r.yaml", tmp_path / "in", "-o", tmp_path / "out", "--rejects")
    assert (quiet.code, "tried again" in quiet.err) == (0, False)
    output = f"weather/out{workers}"
    source, target = s3.uri("weather/in"), s3.uri(output)
    with ChaosProxy(s3.endpoint, seed=workers, share=0.2, delay_seconds=0.02) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        loud = dolmino(monkeypatch, capsys, "filter", tmp_path / "r.yaml", source, "-o", target, "--rejects", "-w", workers)
    assert loud.code == 0, loud.err
    assert loud.out.replace(target, "OUT") == quiet.out.replace(str(tmp_path / "out"), "OUT")
    said = re.search(r"^S3: (\d+) requests were tried again \(.*\), \d+ s waited$", loud.err, re.MULTILINE)
    counts = proxy.counts
    faults = sum(number for kind, number in counts.items() if kind not in ("requests", "delay"))
    assert said, loud.err
    assert int(said.group(1)) == faults >= 10
    written, expected = tree(s3.file(output)), tree(tmp_path / "out")
    places = [name for name in expected if name.startswith(("documents/", "attributes/", "rejects/"))]
    assert len(places) == 3 * 7
    assert {name: written[name] for name in places} == {name: expected[name] for name in places}
    assert sorted(written) == sorted(expected)
    ledgers = sorted(path.name for path in (tmp_path / "out" / "ledger").iterdir())
    assert len(ledgers) == 7
    for name in ledgers:
        of_s3, of_files = (json.loads((root / "ledger" / name).read_text()) for root in (s3.file(output), tmp_path / "out"))
        assert (of_s3["outputs"], of_s3["counts"]) == (of_files["outputs"], of_files["counts"])
