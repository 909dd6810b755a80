"""S3 that resets, truncates, delays and refuses: every byte arrives, nothing is done twice, and what happened is told."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dolmino_cli.errors import DataError, StorageError
from dolmino_cli.shards import s3_reading, s3_retries, s3_troubles, storage
from dolmino_cli.shards.listing import list_shards
from dolmino_cli.shards.s3 import read_range
from dolmino_cli.shards.storage import Output
from tests.chaos_proxy import ChaosProxy
from tests.s3_server import S3Server
from tests.shards.make import line, packed, read

CONTENT = random.Random(1).randbytes(3_000_000)


@pytest.fixture
def chaos(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChaosProxy]:
    """A proxy before the server, three of ten requests by which go wrong; waits are short, ranges small."""
    monkeypatch.setattr(s3_retries, "_LONGEST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(s3_reading, "RANGE_BYTES", 200_000)
    monkeypatch.setattr(s3_reading, "_LEAST_BYTES", 10_000)
    with ChaosProxy(s3.endpoint, seed=1, share=0.3, delay_seconds=0.02) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        yield proxy


def told(chaos: ChaosProxy) -> dict[str, int]:
    """Faults as a client counts them, of what the proxy did: a truncated body and a lost answer may look like a reset."""
    counts = chaos.counts
    broken = counts["reset"] + counts["lost_answer"] + counts["truncate"]
    return {"SlowDown": counts["slow_down"], "503": counts["unavailable"], "500": counts["internal_error"], "broken": broken}


def test_a_stream_has_every_byte_and_tells_what_happened(s3: S3Server, chaos: ChaosProxy) -> None:
    s3.file("faults/stream").write_bytes(CONTENT)
    with storage.open_bytes(s3.uri("faults/stream")) as stream:
        pieces = list(iter(lambda: stream.read(70_000), b""))
    assert b"".join(pieces) == CONTENT
    assert [len(piece) for piece in pieces] == [70_000] * 42 + [60_000]
    troubles = s3_troubles.take()
    requests = dict(troubles.requests)
    requests["broken"] = requests.pop("reset", 0) + requests.pop("short", 0)
    assert {kind: count for kind, count in requests.items() if count} == {kind: n for kind, n in told(chaos).items() if n}
    assert chaos.counts["requests"] == 15 + sum(troubles.requests.values())  # 15 ranges of 200,000 bytes


def test_reading_here_and_there(s3: S3Server, chaos: ChaosProxy) -> None:
    s3.file("faults/seeks").write_bytes(CONTENT)
    places = random.Random(2)
    with storage.open_seekable(s3.uri("faults/seeks")) as stream:
        assert (stream.seek(0, io.SEEK_END), stream.read(5)) == (len(CONTENT), b"")
        for _ in range(60):
            start, length = places.randrange(len(CONTENT)), places.choice([1, 1000, 300_000])
            stream.seek(start)
            if places.random() < 0.2:
                assert stream.read() == CONTENT[start:]
            else:
                into = bytearray(length)
                count = stream.readinto(into)  # type: ignore[attr-defined]
                assert into[:count] == CONTENT[start : start + length]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet"])
def test_documents(s3: S3Server, chaos: ChaosProxy, tmp_path: Path, suffix: str) -> None:
    words = random.Random(3)
    rows = [{"id": str(i), "text": " ".join(words.choices(["ein", "zwei", "drei"], k=30))} for i in range(9000)]
    name = f"x{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name, row_group_size=2000)
    else:
        (tmp_path / name).write_bytes(packed(b"\n".join(line(row["id"], row["text"]) for row in rows), suffix))
    s3.file(f"faults/{name}").write_bytes((tmp_path / name).read_bytes())
    expected = read(str(tmp_path / name))
    assert len(expected[0]) == 9000
    for seed in range(3):
        chaos.seed = seed
        assert read(s3.uri(f"faults/{name}")) == expected


def test_listing(s3: S3Server, chaos: ChaosProxy) -> None:
    for i in range(1100):
        s3.file(f"faults/many/{i:04d}.jsonl").write_bytes(b"")
    chaos.faults = ("truncate", "slow_down", "reset")
    for seed in range(4):
        chaos.seed = seed
        assert [shard.name for shard in list_shards([s3.uri("faults/many")])] == [f"{i:04d}.jsonl" for i in range(1100)]


@pytest.mark.parametrize("size", [100_000, 40_000_000])
def test_uploads_are_whole(s3: S3Server, chaos: ChaosProxy, size: int) -> None:
    content = random.Random(4).randbytes(size)
    for seed in range(3):
        chaos.seed = seed
        with Output(s3.uri("faults/up")).create(f"{size}-{seed}") as pending:
            pending.write(content)
            pending.publish()
        assert s3.file(f"faults/up/{size}-{seed}").read_bytes() == content


def test_a_process_that_puts_first_is_told_so_although_the_answer_was_lost(s3: S3Server, chaos: ChaosProxy) -> None:
    """The second attempt is refused because of the first: that must not be taken for another's."""
    chaos.faults, chaos.share = ("lost_answer",), 0.6
    output = Output(s3.uri("faults/leases"))
    names = [f"{i}.json" for i in range(20)]
    assert [output.put_new(name, b"mine") for name in names] == [True] * 20
    assert [output.put_new(name, b"yours") for name in names] == [False] * 20
    assert [output.put_new(name, b"mine") for name in names] == [False] * 20  # a second time is not the first
    assert [output.read(name) for name in names] == [b"mine"] * 20
    assert [output.remove_if(name, b"yours") for name in names] == [False] * 20
    assert [output.remove_if(name, b"mine") for name in names] == [True] * 20
    assert [output.remove_if(name, b"mine") for name in names] == [False] * 20
    assert storage.list_names(s3.uri("faults/leases"), "") == []
    assert chaos.counts["lost_answer"] > 40


@pytest.mark.parametrize("share", [0, 0.3])
def test_of_many_that_put_at_once_one_succeeds(s3: S3Server, chaos: ChaosProxy, share: float) -> None:
    chaos.share, output = share, Output(s3.uri(f"faults/race-{share}"))
    with ThreadPoolExecutor(8) as threads:
        for name in "abcde":
            put = list(threads.map(lambda i, name=name: output.put_new(name, b"%d" % i), range(8)))
            winner = put.index(True)
            assert (sum(put), output.read(name)) == (1, b"%d" % winner)
            removed = sum(threads.map(lambda _, name=name, mark=b"%d" % winner: output.remove_if(name, mark), range(8)))
            # Of one whose answer was lost it cannot be told whether it was the one that removed.
            assert removed == 1 or (share and 1 < removed < 8)
            assert output.read(name) is None


def test_an_object_that_changes_is_told(s3: S3Server, chaos: ChaosProxy) -> None:
    chaos.share = 0
    s3.file("faults/changes").write_bytes(CONTENT)
    stored = storage.stat(s3.uri("faults/changes"))
    assert stored is not None
    assert read_range(stored, 500, 1000) == CONTENT[500:1500]
    stream = storage.open_seekable(stored.path)
    stream.read(10)
    s3.file("faults/changes").write_bytes(CONTENT[::-1])
    s3.uri()
    stream.seek(1_000_000)
    with pytest.raises(DataError, match=r"^s3://bucket/faults/changes: was changed while it was being read; restore it"):
        stream.read(10)
    with pytest.raises(DataError, match="was changed while it was being read"):
        read_range(stored, 500, 1000)


def test_a_store_that_stays_away_is_given_up(s3: S3Server, chaos: ChaosProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_retries, "ALLOWED_SECONDS", 0.3)
    s3.file("faults/away").write_bytes(CONTENT)
    chaos.share, chaos.faults = 1, ("slow_down",)
    with pytest.raises(StorageError) as failure:
        storage.open_bytes(s3.uri("faults/away"))
    said = r"^cannot read s3://bucket/faults/away: S3 answered SlowDown \(HTTP 503\) to GetObject \(tried \d+ times in \d+ s\)$"
    failure.match(said)
    chaos.faults = ("reset",)
    with pytest.raises(StorageError) as failure:
        list_shards([s3.uri("faults")])
    failure.match(r"^cannot look at s3://bucket/faults: Connection was closed .* \(tried \d+ times in \d+ s\)$")
    assert s3_troubles.take().requests.keys() == {"SlowDown", "reset"}
    monkeypatch.setattr(s3_retries, "ALLOWED_SECONDS", 600)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    with pytest.raises(StorageError, match=r"\(tried 3 times in \d+ s\)$"):
        Output(s3.uri("faults")).put("x", b"")


def test_small_objects_take_one_request(s3: S3Server, chaos: ChaosProxy) -> None:
    chaos.share = 0
    for name, content in (("a", b""), ("b", b"x"), ("c", CONTENT[:200_000])):
        s3.file(f"faults/small/{name}").write_bytes(content)
        before = chaos.counts["requests"]
        assert storage.read_bytes(s3.uri(f"faults/small/{name}")) == content
        assert chaos.counts["requests"] == before + 1


def test_a_stream_is_read_on_from_any_place_and_only_what_is_wanted_is_fetched(s3: S3Server, chaos: ChaosProxy) -> None:
    chaos.share = 0
    s3.file("faults/on").write_bytes(CONTENT)
    with storage.open_bytes(s3.uri("faults/on")) as stream:
        stream.seek(2_100_000)
        assert chaos.counts["requests"] == 1  # the first range; nothing ahead of it
        pieces = list(iter(lambda: stream.read(50_000), b""))
        assert b"".join(pieces) == CONTENT[2_100_000:]
        assert chaos.counts["requests"] == 1 + 5  # 900,000 bytes in ranges of 200,000
    with storage.open_seekable(s3.uri("faults/on")) as stream:
        before = chaos.counts["requests"]
        for start in (2_000_000, 5, 1_000_000):
            stream.seek(start)
            assert stream.read(30_000) == CONTENT[start : start + 30_000]
        assert chaos.counts["requests"] == before + 3
