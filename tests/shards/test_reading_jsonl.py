"""Reading JSONL: every document with its own bytes and line number, however the file is packed and cut."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from dolmino_cli.errors import ConfigError
from dolmino_cli.shards.formats import FORMATS
from dolmino_cli.shards.lines import blocks
from dolmino_cli.shards.reading import read_batches
from tests.shards.make import line, packed, read

pytestmark = pytest.mark.usefixtures("each_way")

JSONL = [suffix for suffix, kind in FORMATS.items() if kind.kind == "jsonl"]
A, B, C = line("a", "one"), line("b", "zwei \u2028 \u0085 \U0001f600", metadata={"x": [1, 2]}), line("c", "")
ALL = [
    (1, "a", "one", A),
    (2, "b", "zwei \u2028 \u0085 \U0001f600", B),
    (3, "c", "", C),
]


@pytest.mark.parametrize("suffix", JSONL)
def test_every_suffix(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(packed(A + b"\n" + B + b"\n" + C + b"\n", suffix))
    assert read(path) == (ALL, [])


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        pytest.param(A + b"\n" + B + b"\n" + C, [1, 2, 3], id="last line without newline"),
        pytest.param(A + b"\r\n" + B + b"\r\n" + C + b"\r\n", [1, 2, 3], id="CRLF"),
        pytest.param(b"\xef\xbb\xbf" + A + b"\n" + B + b"\n" + C + b"\n", [1, 2, 3], id="byte order mark"),
        pytest.param(b"\n" + A + b"\n\n \t\r\n" + B + b"\n\r\n\n" + C + b"\n\n", [2, 5, 8], id="blank lines"),
        pytest.param(b"\xef\xbb\xbf\r\n" + A + b"\n" + B + b"\n" + C, [2, 3, 4], id="mark, then a blank line"),
    ],
)
@pytest.mark.parametrize("batch_bytes", [3, 64, 2 << 20])
def test_line_ends(tmp_path: Path, content: bytes, lines: list[int], batch_bytes: int) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    documents = [(number, *document[1:]) for number, document in zip(lines, ALL, strict=True)]
    assert read(path, batch_bytes=batch_bytes) == (documents, [])


def test_records_keep_their_bytes(tmp_path: Path) -> None:
    """Order, spacing, escapes, number forms, unknown fields: as they were."""
    odd = b'{ "z" : 1.0e+05, "text":"\\u00e9\\/" ,"id":"a", "n":12345678901234567890123, "metadata" : {"k":null}}'
    spaced = b'  {"id":"b","text":"x"} '
    path = tmp_path / "x.jsonl"
    path.write_bytes(odd + b"\n" + spaced + b"\n")
    assert read(path) == ([(1, "a", "\u00e9/", odd), (2, "b", "x", spaced)], [])


def test_the_last_of_two_equal_keys_counts(tmp_path: Path) -> None:
    record = b'{"id":"a","text":"first","id":"b","text":"last"}'
    (tmp_path / "x.jsonl").write_bytes(record)
    assert read(tmp_path / "x.jsonl") == ([(1, "b", "last", record)], [])


def test_multi_frame_zstd_and_multi_member_gzip(tmp_path: Path) -> None:
    skippable = (0x184D2A50).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"abc"
    halves = (A + b"\n" + B[:10], B[10:] + b"\n" + C + b"\n")
    (tmp_path / "x.jsonl.zst").write_bytes(skippable.join(packed(half, ".zst") for half in (*halves, b"")))
    (tmp_path / "x.jsonl.gz").write_bytes(b"".join(packed(half, ".gz") for half in (*halves, b"")))
    assert read(tmp_path / "x.jsonl.zst") == (ALL, [])
    assert read(tmp_path / "x.jsonl.gz") == (ALL, [])


@pytest.mark.parametrize("suffix", JSONL)
def test_an_empty_content_has_no_documents(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"x{suffix}").write_bytes(packed(b"", suffix))
    assert read(tmp_path / f"x{suffix}") == ([], [])


def test_unknown_suffix(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"x\.txt: not a known kind of shard; allowed suffixes: \.jsonl, \.jsonl\.gz"):
        read_batches(str(tmp_path / "x.txt"))


def test_a_record_of_50_megabytes_among_small_ones(tmp_path: Path) -> None:
    long = line("b", "0123456789" * 5_000_000)
    (tmp_path / "x.jsonl.zst").write_bytes(packed(b"\n".join([A, long, C]), ".zst"))
    documents, _ = read(tmp_path / "x.jsonl.zst")
    assert [(number, id, len(text)) for number, id, text, _ in documents] == [(1, "a", 3), (2, "b", 50_000_000), (3, "c", 0)]
    assert documents[1][3] == long


def test_batches_are_of_the_size_asked_for(tmp_path: Path) -> None:
    records = [line(str(i), "x" * (i % 50)) for i in range(2000)]
    (tmp_path / "x.jsonl").write_bytes(b"\n".join(records))
    sizes = [batch.record.nbytes - 8 * len(batch) for batch, _ in read_batches(str(tmp_path / "x.jsonl"), batch_bytes=4096)]
    assert all(3900 < size <= 4096 + 8 for size in sizes[:-1])
    documents, _ = read(tmp_path / "x.jsonl", batch_bytes=4096)
    assert [(document[0], document[3]) for document in documents] == [(i + 1, record) for i, record in enumerate(records)]


def test_batches_stay_whole_after_the_next_is_read(tmp_path: Path) -> None:
    """The block buffer is reused; nothing in a batch may point into it."""
    records = [line(str(i), "x" * 40) for i in range(100)]
    (tmp_path / "x.jsonl").write_bytes(b"\n".join(records))
    batches = [batch for batch, _ in read_batches(str(tmp_path / "x.jsonl"), batch_bytes=100)]
    assert len(batches) >= 50
    assert [record for batch in batches for record in batch.record.to_pylist()] == records


@settings(max_examples=150, deadline=None)
@given(
    texts=st.lists(st.text(max_size=30), max_size=12),
    ends=st.lists(st.sampled_from([b"\n", b"\r\n", b"\n\n", b" \n", b"\n \r\n"]), min_size=12, max_size=12),
    batch_bytes=st.integers(3, 200),
    suffix=st.sampled_from([".jsonl", ".jsonl.gz", ".jsonl.zst"]),
)
def test_any_file_equals_splitting_it_at_newlines(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], ends: list[bytes], batch_bytes: int, suffix: str
) -> None:
    """The law: documents are the non-blank pieces of content.split(b"\\n"), one trailing \\r removed, numbered from 1."""
    content = b"".join(line(str(i), text) + end for i, (text, end) in enumerate(zip(texts, ends, strict=False)))
    pieces = [piece.removesuffix(b"\r") for piece in content.split(b"\n")]
    path = tmp_path_factory.getbasetemp() / f"law{suffix}"
    path.write_bytes(packed(content, suffix))
    documents, aside = read(path, batch_bytes=batch_bytes)
    assert aside == []
    assert [(document[0], document[3]) for document in documents] == [(i, p) for i, p in enumerate(pieces, 1) if p.strip()]
    assert [document[2] for document in documents] == texts


BIG = """
import resource, sys
from dolmino_cli.shards.reading import read_batches
for _ in read_batches(sys.argv[1]): break
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
documents = sum(len(batch) for batch, _ in read_batches(sys.argv[2]))
print(documents, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_memory_does_not_grow_with_the_shard(tmp_path: Path) -> None:
    """400 MB that compress 5,000-fold: also no single piece of input may become one piece of output."""
    piece = line("a", "the same words again and again " * 100) + b"\n"
    small, large = tmp_path / "small.jsonl.zst", tmp_path / "large.jsonl.zst"
    small.write_bytes(packed(piece * 3000, ".zst"))
    with large.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as writer:
        for _ in range(130):
            writer.write(piece * 1000)
    assert large.stat().st_size < 200_000
    answer = subprocess.run([sys.executable, "-c", BIG, small, large], capture_output=True, text=True, check=True)
    documents, grown_mb = map(int, answer.stdout.split())
    assert documents == 130_000
    assert grown_mb < 60


def test_real_documents_read_as_python_reads_them(shared_data: Path) -> None:
    """Every document file of the sample data: same ids, texts and bytes as json over split lines."""
    import json

    files = sorted(path for path in shared_data.rglob("*.jsonl.*") if is_document_file(path, shared_data))
    assert len(files) >= 40
    for path in files:
        raw = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(raw)
        else:
            content = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True).read()
        lines = content.removesuffix(b"\n").split(b"\n")
        documents, aside = read(path)
        assert aside == []
        assert [document[3] for document in documents] == lines, path
        expected = [json.loads(one) for one in lines]
        assert [(document[1], document[2]) for document in documents] == [(one["id"], one["text"]) for one in expected], path


def is_document_file(path: Path, shared_data: Path) -> bool:
    table = (shared_data / "MANIFEST.tsv").read_text(encoding="utf-8").splitlines()
    kinds = {row.split("\t")[0]: row.split("\t")[1] for row in table}
    return kinds.get(path.relative_to(shared_data).as_posix()) == "docs"


def test_blocks_grow_for_a_long_line_and_shrink_again() -> None:
    import io

    from dolmino_cli.shards.compression import PlainBytes

    content = b"a\n" + b"b" * 100 + b"\nc\nd\n"
    found = [
        (len(block.buffer), block.first, [bytes(block.buffer[s:e]) for s, e in zip(block.starts, block.ends, strict=True)])
        for block in blocks(PlainBytes(io.BytesIO(content), "plain"), 16)
    ]
    assert found == [(16, 1, [b"a"]), (128, 2, [b"b" * 100, b"c", b"d"])]
