"""Parts of a shard: every line belongs to the part that it begins in, whichever way one gets there."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dolmino_cli.errors import DataError
from dolmino_cli.shards import storage
from dolmino_cli.shards.faults import Quarantined
from dolmino_cli.shards.parquet_parts import Rows, cut
from dolmino_cli.shards.parts import estimated_parts, may_have_parts, open_parts
from dolmino_cli.shards.read_options import ReadOptions
from dolmino_cli.shards.reading import read_batches
from dolmino_cli.shards.shard import Shard
from tests.shards.make import line, packed

BOM = b"\xef\xbb\xbf"
Found = tuple[list[tuple[int, bytes]], list[Quarantined], int]


def shard(path: Path) -> Shard:
    found = storage.stat(str(path))
    assert found is not None
    return found


def options(**more: Any) -> ReadOptions:
    return ReadOptions(**{"on_error": "quarantine", "batch_bytes": 50, **more})


def part(parts: Any) -> Found:
    """The part that `parts` is at: (line, record) of its documents, what was set aside, and how many lines it has."""
    documents: list[tuple[int, bytes]] = []
    aside: list[Quarantined] = []
    for batch, quarantined in parts.read():
        documents += list(zip(batch.line.to_pylist(), batch.record.to_pylist(), strict=True))
        aside += quarantined
    return documents, aside, parts.lines


def in_order(path: Path, part_bytes: int, **more: Any) -> list[Found]:
    with open_parts(shard(path), options(**more), part_bytes) as parts:
        found = []
        while parts.go_to(len(found)):
            found.append(part(parts))
            if parts.is_last:
                assert not parts.go_to(len(found))
                return found
    raise AssertionError("no part said that it was the last")


def one_by_one(path: Path, part_bytes: int, count: int, **more: Any) -> list[Found]:
    """Each part on its own, all before it passed over."""
    found = []
    for number in range(count):
        with open_parts(shard(path), options(**more), part_bytes) as parts:
            assert parts.go_to(number)
            found.append(part(parts))
            assert parts.is_last == (number == count - 1)
    with open_parts(shard(path), options(**more), part_bytes) as parts:
        assert not parts.go_to(count)
    return found


def oracle(content: bytes, part_bytes: int) -> list[tuple[list[tuple[int, bytes]], int]]:
    """(line, record) of the documents, and the number of lines, by part: by going through the bytes one at a time."""
    starts = (
        [0] + [i + 1 for i in range(len(content)) if content[i] == 10 and i + 1 < len(content)]
        if content not in (b"", BOM)
        else []
    )
    parts: list[tuple[list[tuple[int, bytes]], int]] = [([], 0)]
    for start, end in zip(starts, [*starts, len(content)][1:], strict=True):
        while len(parts) <= start // part_bytes:
            parts.append(([], 0))
        documents, lines = parts[-1]
        record = content[start:end].removeprefix(BOM if start == 0 else b"").removesuffix(b"\n")
        if end > start and content[end - 1] == 10:
            record = record.removesuffix(b"\r")
        if record.strip():
            documents.append((lines + 1, record))
        parts[-1] = documents, lines + 1
    return parts


def random_content(seed: int) -> bytes:
    draw = random.Random(seed)
    lines = [line(f"d{i}", "x" * draw.choice([0, 1, 5, 40, 300])) for i in range(draw.randint(0, 12))]
    content = b"".join(draw.choice([b"", b"\n"]) + one + draw.choice([b"\n", b"\r\n"]) for one in lines)
    return draw.choice([b"", BOM]) + (content.rstrip(b"\r\n") if draw.random() < 0.4 else content)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_parts_are_those_of_a_naive_reading(tmp_path: Path, suffix: str) -> None:
    for seed in range(15):
        content = random_content(seed)
        path = tmp_path / f"{seed}{suffix}"
        path.write_bytes(packed(content, suffix))
        for part_bytes in (1, 2, 3, 4, 7, 30, 64, 333, len(content) + 1):
            expected = [(documents, [], lines) for documents, lines in oracle(content, part_bytes)]
            assert in_order(path, part_bytes) == expected, (seed, part_bytes)
            if part_bytes > 3:
                assert one_by_one(path, part_bytes, len(expected)) == expected, (seed, part_bytes)


def test_parts_at_every_byte_of_a_small_shard(tmp_path: Path) -> None:
    content = BOM + b"\n" + line("a", "x") + b"\r\n\r\n" + line("b", "y" * 9)
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    for part_bytes in range(1, len(content) + 2):
        expected = [(documents, [], lines) for documents, lines in oracle(content, part_bytes)]
        assert one_by_one(path, part_bytes, len(expected)) == expected, part_bytes


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
@pytest.mark.parametrize("part_bytes", [1 << 10, 5_000, 1 << 16, 1 << 20])
def test_a_cut_file_ends_in_its_last_part(tmp_path: Path, suffix: str, part_bytes: int) -> None:
    draw = random.Random(0)
    content = b"".join(line(f"d{i}", draw.randbytes(900).hex()) + b"\n" for i in range(200))
    path = tmp_path / f"a{suffix}"
    path.write_bytes(packed(content, suffix)[:-500])
    [(whole, aside, lines)] = in_order(path, 1 << 30)
    assert len(aside) == 1 and aside[0].reason.startswith("truncated") and aside[0].line == lines
    parts = in_order(path, part_bytes)
    assert parts == one_by_one(path, part_bytes, len(parts))
    assert [record for documents, _, _ in parts for _, record in documents] == [record for _, record in whole]
    assert [len(aside) for _, aside, _ in parts] == [0] * (len(parts) - 1) + [1]
    assert sum(lines for _, _, lines in parts) == lines


def test_an_error_names_the_line_of_the_shard(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(line(f"d{i}", "x") + b"\n" for i in range(20)) + b"{\n")
    with open_parts(shard(path), options(on_error="fail"), 100) as parts:
        assert parts.go_to(4)
        with pytest.raises(DataError, match=r"a\.jsonl:21: invalid JSON"):
            list(parts.read())


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.zst"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("excess", [0, 1, 2, 3, 100, 5_000])
def test_a_record_above_the_limit_is_set_aside_without_its_bytes(tmp_path: Path, suffix: str, end: bytes, excess: int) -> None:
    limit = 200
    small, large = line("s", "x"), line("l", "y" * (limit + excess - len(line("l", ""))))
    content = small + b"\n" + large + b"\n" + large + end
    path = tmp_path / f"a{suffix}"
    path.write_bytes(packed(content, suffix))
    unended = large + (b"\r" if end == b"\r" else b"")  # a carriage return ends no line of its own
    fits, last_fits = len(large) <= limit, len(unended) <= limit
    for batch_bytes in (16, 64, 1 << 20):
        records, aside = [], []
        found = read_batches(str(path), max_document_bytes=limit, batch_bytes=batch_bytes)  # on_error="fail"
        for batch, quarantined in found:
            records += batch.record.to_pylist()
            aside += [(one.line, one.reason, one.record) for one in quarantined]
        assert records == [small] + [large] * fits + [unended] * last_fits
        assert aside == [
            (
                number,
                f"{len(one):,} bytes, more than --max-document 200; sha256 {hashlib.sha256(one).hexdigest()}; "
                "it stays in the input, and no bytes of it are here",
                b"",
            )
            for number, one, kept in ((2, large, fits), (3, unended, last_fits))
            if not kept
        ]


def test_a_record_above_the_limit_takes_no_memory(tmp_path: Path) -> None:
    from dolmino_cli.shards.compression import PlainBytes
    from dolmino_cli.shards.lines import LineReader

    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x" * 100_000 + b"\n" + line("a", "b") + b"\n")
    with path.open("rb", buffering=0) as source:
        reader = LineReader(PlainBytes(source, "plain"), 64, 1000)
        sizes = [(len(block.buffer), block.first, list(block.too_large)) for block in reader.blocks()]
    assert sizes == [(64, 1, [0]), (64, 2, [])]


def write_parquet(path: Path, groups: list[int]) -> Path:
    number = 0
    schema = pa.schema([("id", pa.string()), ("text", pa.string())])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for rows in groups:
            ids = [f"d{number + i:06d}" for i in range(rows)]
            writer.write_table(pa.table([ids, ["x" * 100] * rows], schema=schema))
            number += rows
    return path


def test_parquet_parts_are_runs_of_rows(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [10, 5, 100, 3, 3])
    sizes = [pq.ParquetFile(path).metadata.row_group(i).total_byte_size for i in range(5)]
    pieces = -(-sizes[2] // 4000)
    assert pieces == 3 and sizes[0] + sizes[1] < 4000
    parts = cut(pq.ParquetFile(path).metadata, 4000)
    assert parts == [
        [Rows(group=0, start=0, stop=10), Rows(group=1, start=0, stop=5)],
        [Rows(group=2, start=0, stop=33)],
        [Rows(group=2, start=33, stop=66)],
        [Rows(group=2, start=66, stop=100)],
        [Rows(group=3, start=0, stop=3), Rows(group=4, start=0, stop=3)],
    ]
    found = in_order(path, 4000)
    assert found == one_by_one(path, 4000, 5)
    assert [lines for _, _, lines in found] == [15, 33, 33, 34, 6]
    rows = [row["id"] for documents, _, _ in found for _, row in documents]  # type: ignore[call-overload]
    assert rows == [f"d{i:06d}" for i in range(121)]
    assert [documents[0][0] for documents, _, _ in found] == [1] * 5


def test_a_parquet_file_that_is_none_has_one_part(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"nothing")
    [(documents, aside, lines)] = in_order(path, 10)
    assert (documents, [one.line for one in aside], lines) == ([], [1], 1)
    assert aside[0].reason.startswith("truncated or corrupt Parquet")


def test_a_parquet_row_above_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": ["a", "b", "c"], "text": ["x", "y" * 300, "z"]}), path)
    found = list(read_batches(str(path), max_document_bytes=200))
    assert [id for batch, _ in found for id in batch.id.to_pylist()] == ["a", "c"]
    [aside] = [one for _, quarantined in found for one in quarantined]
    digest = hashlib.sha256(b"b" + b"y" * 300).hexdigest()
    assert (aside.line, aside.record) == (2, b"")
    assert aside.reason.startswith(f"301 bytes, more than --max-document 200; sha256 {digest};")


def test_how_many_parts_are_expected() -> None:
    def of(name: str, bytes: int) -> Shard:
        return Shard(path=name, name=name, bytes=bytes, etag=None)

    cases = {("a.jsonl", 1000): 10, ("a.jsonl", 1001): 11, ("a.jsonl.gz", 100): 4, ("a.jsonl.zst", 100): 5, ("a.jsonl", 0): 1}
    assert {case: estimated_parts(of(*case), 100) for case in cases} == cases
    assert [may_have_parts(of("a.jsonl.zst", size), 100) for size in (10, 11)] == [False, True]
    assert [may_have_parts(of("a.jsonl", size), 100) for size in (100, 101)] == [False, True]
